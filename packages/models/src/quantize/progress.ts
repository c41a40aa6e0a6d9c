/** Where long work reports to; the command line renders it. */
export interface Progress {
  /** Begins a phase of `total` steps (0 when unknown). */
  start(phase: string, total: number): void
  advance(done: number, note?: string): void
  note(text: string): void
}

export const silent: Progress = { start: () => {}, advance: () => {}, note: () => {} }
