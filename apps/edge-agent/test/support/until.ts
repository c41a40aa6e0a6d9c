/** Resolves as soon as `condition` holds; looks after every turn of the event loop. Vitest's time-out is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 1))
}
