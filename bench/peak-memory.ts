import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Figure } from './measure.ts'

/** Peak resident memory of a fresh process that embeds the pictures of a folder; this one's has seen other work. */
export async function peakMemory(what: string, modelDir: string, pictures: string): Promise<Figure> {
  const child = fork(new URL('./embed-process.ts', import.meta.url), [modelDir, pictures])
  const exited = once(child, 'exit')
  const [peakMiB] = await Promise.race([once(child, 'message'), exited.then(() => [Number.NaN])])
  await exited
  const value = Number.isFinite(peakMiB) ? `${Math.round(peakMiB as number)} MiB` : 'not measured'
  return { what: `peak resident memory of a process that embeds 64 pictures: ${what}`, value }
}
