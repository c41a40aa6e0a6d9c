import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionProvider } from './providers.ts'

export interface TrialFeed {
  readonly name: string
  readonly dims: readonly number[]
  readonly data: Float32Array<ArrayBuffer>
}

/** One graph to be computed on one provider, in a process of its own. */
export interface Trial {
  /** Path of an ONNX file, or its bytes. */
  readonly model: string | Uint8Array
  readonly provider: ExecutionProvider
  /** Refuse when any node would compute on the CPU instead. */
  readonly strict?: boolean
  readonly feeds: readonly TrialFeed[]
  readonly output: string
  /** Feeds for the runs that are timed; default: the same. */
  readonly timedFeeds?: readonly TrialFeed[]
  /** For how long runs are timed after the first; 0: none is. */
  readonly measureMs: number
  readonly threads: number
  readonly engineDir?: string
}

export interface TrialResult {
  /** The output of the first run. */
  readonly data: Float32Array
  readonly dims: readonly number[]
  /** Until the session was open and had run once. */
  readonly readyMs: number
  readonly runMs: readonly number[]
  /** Nodes of the optimised graph by the provider that computed them: `cpu`, `webgpu`, … */
  readonly nodes: Readonly<Record<string, number>>
}

export type TrialOutcome =
  | ({ readonly ok: true } & TrialResult)
  | { readonly ok: false; readonly reason: string }

/** What the child is told. `dir` is a directory of its own, which the parent removes whatever happens. */
export interface TrialMessage {
  readonly trial: Trial
  readonly dir: string
}

export interface TrialOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** The module that the child runs; another one in tests. */
  readonly script?: URL
}

const SCRIPT = new URL('./trial-child.js', import.meta.url)

/**
 * Runs a trial in a child process: a driver that crashes or hangs there takes nothing with it. Never throws; the
 * outcome says what happened.
 */
export async function runTrial(trial: Trial, options: TrialOptions): Promise<TrialOutcome> {
  const { timeoutMs, signal, script = SCRIPT } = options
  if (signal?.aborted) return { ok: false, reason: 'stopped' }
  const dir = await mkdtemp(join(tmpdir(), 'sightline-trial-'))
  const child = fork(script, [], {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Node takes whole milliseconds only.
    timeout: Math.ceil(timeoutMs),
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  })
  const startedMs = performance.now()
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000)
  })
  return new Promise(resolve => {
    child.on('message', (outcome: TrialOutcome) => {
      resolve(outcome)
      // A driver may also hang in its own clean-up; the answer is here, so nothing is waited for.
      child.kill('SIGKILL')
    })
    child.on('error', error => resolve({ ok: false, reason: error.message }))
    child.on('close', (code, ended) => {
      void rm(dir, { recursive: true, force: true }).catch(() => {})
      const late = performance.now() - startedMs >= timeoutMs
      const how = late ? `no answer within ${timeoutMs / 1000} s` : `the process ended with ${ended ?? code}`
      resolve({ ok: false, reason: [how, lastLine(complaint)].filter(Boolean).join(': ') })
    })
    const message: TrialMessage = { trial, dir }
    child.send(message, error => {
      if (error) resolve({ ok: false, reason: error.message })
    })
  })
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.trim().slice(0, 200)
}
