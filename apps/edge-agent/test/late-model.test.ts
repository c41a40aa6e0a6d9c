import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fault } from '@sightline/core'
import type { OpenModel, openModel } from '@sightline/core/clip/open-model.js'
import type { ProviderState } from '@sightline/core/clip/provider-choice.js'
import { type Agent, createAgent } from '@sightline/edge-agent/agent.js'
import { agentSettings } from '@sightline/edge-agent/settings.js'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeDamagedModel } from './support/damaged-model.ts'
import { FakeClock } from './support/fake-clock.ts'
import { quiet } from './support/quiet.ts'
import { ADDRESS, TestBroker } from './uplink/broker.ts'

const DIM = 512

let dir = ''
let broker: TestBroker
let clock: FakeClock
let agent: Agent | undefined

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'late-model-'))
  broker = await new TestBroker().start()
  broker.acking = true
  clock = new FakeClock()
})
afterEach(async () => {
  await during(agent?.stop() ?? Promise.resolve())
  agent = undefined
  await broker.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Lets time go by until `work` is done. */
async function during<T>(work: Promise<T>): Promise<T> {
  let done = false
  const end = () => {
    done = true
  }
  work.then(end, end)
  while (!done) {
    await clock.advance(1000)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  return work
}

async function until(condition: () => boolean): Promise<void> {
  await during(
    (async () => {
      while (!condition()) await new Promise(resolve => setTimeout(resolve, 1))
    })(),
  )
}

/** Stands in for everything behind `openModel`: says what it is told to, and is ready or fails when told to. */
class FakeOpening {
  asked = false
  closed = false
  encoded = 0
  tell: (state: ProviderState) => void = () => {}
  ready: () => void = () => {}
  fail: (error: Error) => void = () => {}

  readonly open: typeof openModel = async ({ onState }) => {
    this.tell = onState!
    await new Promise<void>((resolve, reject) => {
      this.ready = resolve
      this.fail = reject
      this.asked = true
    })
    const model = {
      warmUp: async () => {},
      close: async () => {
        this.closed = true
      },
      encodeImages: async (images: readonly unknown[]) =>
        images.map(() => {
          this.encoded++
          return new Float32Array(DIM).fill(1 / Math.sqrt(DIM))
        }),
    }
    return { model, choice: { provider: 'tensorrt' }, canary: undefined } as unknown as OpenModel
  }
}

async function start(opening: FakeOpening): Promise<{ started: Promise<void> }> {
  const grey = sharp({ create: { width: 8, height: 8, channels: 3, background: '#808080' } })
  await grey.toFile(join(dir, 'picture.jpg'))
  const settings = agentSettings({
    ...ADDRESS,
    dataDir: join(dir, 'data'),
    cameras: [{ name: 'gate', source: `folder:${dir}`, fps: 1, gate: { threshold: 0 } }],
    broker: { url: broker.url },
  })
  const node = ADDRESS.node
  agent = await createAgent({
    settings: { ...settings, node },
    log: quiet,
    clock,
    version: '1.2.3',
    open: opening.open,
  })
  const started = agent.start()
  started.catch(() => {})
  return { started }
}

const last = () => broker.states.at(-1)

describe('an agent whose model takes long to open', () => {
  it('is online meanwhile, says what it is busy with and how far it is, and takes no frame', async () => {
    const opening = new FakeOpening()
    const { started } = await start(opening)
    await until(() => last()?.starting !== undefined)
    expect(last()).toMatchObject({
      online: true,
      provider: '',
      starting: { phase: 'opening-model' },
      fingerprint: expect.stringMatching(/^sightline-mini:/),
      cameras: [{ camera: 'gate', status: 'starting', lastFrameAt: null }],
    })

    opening.tell({ state: 'probing', provider: 'auto' })
    opening.tell({ state: 'measuring', provider: 'cuda', variant: 'fp16' })
    await until(() => last()?.starting?.phase === 'choosing-provider')
    expect(last()!.starting).toMatchObject({ detail: 'measuring cuda fp16' })

    opening.tell({ state: 'building TensorRT engine', elapsedMs: 0, progress: 0 })
    await until(() => last()?.starting?.phase === 'building-engine')
    const { since } = last()!.starting!
    opening.tell({ state: 'building TensorRT engine', elapsedMs: 90_000, progress: 0.5 })
    await until(() => last()?.starting?.progress === 0.5)
    expect(last()!.starting).toEqual({
      phase: 'building-engine',
      detail: 'TensorRT engine, 90 s so far',
      progress: 0.5,
      since,
    })
    expect(opening.encoded).toBe(0)
    expect(broker.arrivals).toEqual([])

    opening.ready()
    await started
    await until(() => last()?.starting === undefined && broker.arrivals.length > 0)
    expect(last()).toMatchObject({ online: true, provider: 'tensorrt' })
    expect(opening.encoded).toBeGreaterThan(0)
  })

  it('says why it gives up before it does', async () => {
    const opening = new FakeOpening()
    const { started } = await start(opening)
    await until(() => opening.asked)
    opening.fail(fault('PROVIDER_UNTRUSTED', 'no provider computes this model rightly: cuda: NaN'))
    await expect(during(started)).rejects.toMatchObject({ code: 'PROVIDER_UNTRUSTED' })
    await until(() => last()?.online === false)
    const told = 'PROVIDER_UNTRUSTED: no provider computes this model rightly: cuda: NaN'
    expect(broker.states.findLast(({ online }) => online)?.starting?.error).toBe(told)
    expect(last()).toMatchObject({ online: false, provider: '', starting: { error: told } })
  })

  it('gives up in a bounded time when there is no broker to tell', async () => {
    const opening = new FakeOpening()
    await broker.stop()
    const { started } = await start(opening)
    await until(() => opening.asked)
    opening.fail(fault('MODEL_INVALID', 'image.onnx cannot be loaded'))
    await expect(during(started)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('can be stopped meanwhile: no camera begins afterwards, and the model is closed', async () => {
    const opening = new FakeOpening()
    const { started } = await start(opening)
    await until(() => last()?.starting !== undefined)
    const stopping = agent!.stop()
    await during(stopping)
    opening.ready()
    await started
    expect(opening.closed).toBe(true)
    expect(opening.encoded).toBe(0)
    expect(last()).toMatchObject({ online: false })
  })
})

describe('a model that cannot be opened', () => {
  it('is told by the real way of opening it, too', async () => {
    const model = join(dir, 'model')
    await writeDamagedModel(model)
    const settings = agentSettings({
      ...ADDRESS,
      dataDir: join(dir, 'data'),
      model: { dir: model },
      broker: { url: broker.url },
    })
    const node = ADDRESS.node
    agent = await createAgent({ settings: { ...settings, node }, log: quiet, clock, version: '1' })
    await expect(during(agent.start())).rejects.toMatchObject({ code: 'MODEL_FILE_CORRUPT' })
    await until(() => last()?.online === false)
    expect(last()!.starting!.error).toMatch(/^MODEL_FILE_CORRUPT: .*image\.onnx has 4 bytes/)
  })
})
