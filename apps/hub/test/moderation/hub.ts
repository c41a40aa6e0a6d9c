import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type EmbeddingBatch,
  type EmbeddingItem,
  encodeJson,
  encodeMessagePack,
  type IncidentEvent,
  loadModel,
  type NodeState,
  nodeTopic,
  thumbnail,
  vectorToBytes,
} from '@sightline/core'
import type { Hub } from '@sightline/hub/hub.js'
import { connectAsync, type MqttClient } from 'mqtt'
import { HubCalls } from '../support/hub-calls.ts'
import { runningHub } from '../support/running-hub.ts'

export const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))
export const SESSION = '01JD0000000000000000000000'
const address = { site: 'default', node: 'n1' }

/** `camera/file` of the sample frames. */
export const PHOTOS = ['yard/13-moose', 'lobby/01-cup-of-espresso', 'harbour/06-fireworks', 'yard/07-puppy']

export function photo(name: string): Promise<Buffer> {
  return readFile(join(ROOT, 'deploy/samples/cameras', `${name}.jpg`))
}

export function frameIdOf(seq: number): string {
  return `default~n1~${SESSION}~${seq}`
}

/** What an agent makes of the photos with the real model, a minute apart; `change` has the last word on each. */
export async function photoBatch(
  change: (item: EmbeddingItem, i: number) => EmbeddingItem = item => item,
): Promise<EmbeddingBatch> {
  const model = await loadModel({ dir: join(ROOT, 'models/quantized/sightline-mini') })
  const files = await Promise.all(PHOTOS.map(photo))
  const vectors = await model.encodeImages(files)
  const items = await Promise.all(
    vectors.map(async (vector, i) => ({
      seq: i + 1,
      camera: PHOTOS[i]!.split('/')[0]!,
      capturedAt: Date.UTC(2026, 0, 1, 12, i),
      vector: vectorToBytes(vector),
      verdicts: [],
      thumbnail: new Uint8Array(await thumbnail(files[i]!)),
    })),
  )
  const { fingerprint, dim } = model
  await model.close()
  const head = { v: 1, session: SESSION, dtype: 'f32', historical: false } as const
  return { ...head, skipped: [], fingerprint, dim, items: items.map(change) }
}

/** A hub of its own whose node has sent the sample photos, and incidents on request. */
export class TestHub extends HubCalls {
  readonly #dir: string
  #hub: Hub
  #agent: MqttClient
  readonly #settings: object
  #seq = PHOTOS.length

  private constructor(dir: string, hub: Hub, agent: MqttClient, settings: object) {
    super()
    this.#settings = settings
    this.#dir = dir
    this.#hub = hub
    this.#agent = agent
  }

  static async start(change: object = {}): Promise<TestHub> {
    const dir = await mkdtemp(join(tmpdir(), 'moderation-'))
    const test = new TestHub(dir, ...(await run(dir, change)), change)
    await test.#sendPhotos()
    return test
  }

  /** The same hub on the same data, at other ports. */
  async restart(): Promise<void> {
    await this.#agent.endAsync()
    await this.#hub.stop()
    ;[this.#hub, this.#agent] = await run(this.#dir, this.#settings)
  }

  get dir(): string {
    return this.#dir
  }

  get routes(): Hub['routes'] {
    return this.#hub.routes
  }

  get mqttUrl(): string {
    return `mqtt://127.0.0.1:${this.#hub.mqttPort}`
  }

  get url(): string {
    return `http://127.0.0.1:${this.#hub.httpPort}`
  }

  async stop(): Promise<void> {
    await this.#agent.endAsync()
    await this.#hub.stop()
    await rm(this.#dir, { recursive: true, force: true })
  }

  /** One finished incident. */
  async sendIncident(change: Partial<IncidentEvent> & Pick<IncidentEvent, 'incident'>): Promise<void> {
    const event: IncidentEvent = {
      v: 1,
      session: SESSION,
      seq: ++this.#seq,
      phase: 'end',
      rule: 'cat-in-view',
      ruleName: 'Cat in view',
      rulesVersion: 1,
      severity: 'low',
      camera: 'yard',
      at: Date.UTC(2026, 0, 1, 12, 5),
      startedAt: Date.UTC(2026, 0, 1, 12),
      score: 0.1,
      peakScore: 0.9,
      frames: 2,
      bestFrame: 1,
      ...change,
    }
    await this.#agent.publishAsync(nodeTopic('event', address), encodeJson(event), { qos: 1 })
  }

  async sendState(state: NodeState): Promise<void> {
    await this.#agent.publishAsync(nodeTopic('state', address), encodeJson(state), { qos: 1, retain: true })
  }

  async #sendPhotos(): Promise<void> {
    const payload = Buffer.from(encodeMessagePack(await photoBatch()))
    await this.#agent.publishAsync(nodeTopic('emb', address), payload, { qos: 1 })
  }
}

async function run(dir: string, change: object): Promise<[Hub, MqttClient]> {
  const hub = await runningHub(dir, change)
  return [hub, await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`, { clientId: 'default.n1' })]
}
