import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import { keepEngine, openOrtSession } from './ort-session.ts'
import type { Trial, TrialFeed, TrialMessage, TrialOutcome, TrialResult } from './trial.ts'

/** The child's side of `runTrial`: one trial, one answer. */
process.once('message', (message: TrialMessage) => void answer(message))
// Nobody waits for the answer any more.
process.once('disconnect', () => process.exit())

async function answer({ trial, dir }: TrialMessage): Promise<void> {
  let outcome: TrialOutcome
  try {
    outcome = { ok: true, ...(await perform(trial, dir)) }
  } catch (error) {
    outcome = { ok: false, reason: firstLine(error) }
  }
  process.send!(outcome)
}

async function perform(trial: Trial, dir: string): Promise<TrialResult> {
  const { feeds, output, measureMs, timedFeeds = feeds } = trial
  const startedMs = performance.now()
  const setup = { ...trial, buildEngine: true, profile: join(dir, 'nodes') }
  const session = await openOrtSession(setup)
  const first = (await session.run(tensorsOf(feeds), [output]))[output]!
  const readyMs = performance.now() - startedMs
  session.endProfiling()
  await keepEngine(setup)
  const runMs = measureMs > 0 ? await timeRuns(session, { feeds: timedFeeds, output, measureMs }) : []
  return {
    data: Float32Array.from(first.data as Float32Array),
    dims: [...first.dims],
    readyMs,
    runMs,
    nodes: await placement(dir),
  }
}

async function timeRuns(
  session: InferenceSession,
  { feeds, output, measureMs }: { feeds: readonly TrialFeed[]; output: string; measureMs: number },
): Promise<number[]> {
  const tensors = tensorsOf(feeds)
  // The first run of a size may still plan memory or compile shaders.
  await session.run(tensors, [output])
  const runMs: number[] = []
  const endMs = performance.now() + measureMs
  for (let now = performance.now(); now < endMs || runMs.length < 3; ) {
    await session.run(tensors, [output])
    const then = now
    now = performance.now()
    runMs.push(now - then)
  }
  return runMs
}

function tensorsOf(feeds: readonly TrialFeed[]): Record<string, Tensor> {
  return Object.fromEntries(
    feeds.map(({ name, data, dims }) => [name, new Tensor('float32', data, [...dims])]),
  )
}

/** Counts nodes by provider from the profile of the first run. */
async function placement(dir: string): Promise<Record<string, number>> {
  const nodes: Record<string, number> = {}
  for (const file of await readdir(dir)) {
    const events = JSON.parse(await readFile(join(dir, file), 'utf8')) as { cat?: string; args?: Args }[]
    for (const { cat, args } of events) {
      if (cat !== 'Node' || args?.provider === undefined) continue
      const provider = NAMES[args.provider] ?? args.provider
      nodes[provider] = (nodes[provider] ?? 0) + 1
    }
  }
  return nodes
}

interface Args {
  readonly provider?: string
}

const NAMES: Readonly<Record<string, string>> = {
  CPUExecutionProvider: 'cpu',
  CUDAExecutionProvider: 'cuda',
  TensorrtExecutionProvider: 'tensorrt',
  WebGpuExecutionProvider: 'webgpu',
}

/** ONNX Runtime puts source paths in front and stacks behind. */
function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n')[0]!.slice(0, 400)
}
