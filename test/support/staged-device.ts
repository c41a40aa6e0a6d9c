import {
  type EmbeddingItem,
  encodeJson,
  encodeMessagePack,
  type NodeState,
  type NodeStats,
  nodeTopic,
  vectorToBytes,
} from '@sightline/core'
import { connectAsync, type MqttClient } from 'mqtt'
import type { VectorSpace } from './simulated-records.ts'

const SESSION = '01J00000000000000000000000'
const MAX_ITEMS = 64

export interface StagedFrame {
  readonly camera: string
  readonly vector: Float32Array
  readonly capturedAt?: number
  readonly verdicts?: EmbeddingItem['verdicts']
  /** JPEG. */
  readonly thumbnail?: Uint8Array
}

/** A device that says exactly what a test wants the hub to hear. */
export class StagedDevice {
  readonly #client: MqttClient
  readonly #address: { readonly site: string; readonly node: string }
  readonly #space: VectorSpace
  #seq = 0

  private constructor(client: MqttClient, address: StagedDevice['address'], space: VectorSpace) {
    this.#client = client
    this.#address = address
    this.#space = space
  }

  static async connect(
    url: string,
    address: { readonly site: string; readonly node: string },
    space: VectorSpace,
  ): Promise<StagedDevice> {
    const clientId = `${address.site}~${address.node}`
    return new StagedDevice(await connectAsync(url, { clientId }), address, space)
  }

  get address(): { readonly site: string; readonly node: string } {
    return this.#address
  }

  async frames(frames: readonly StagedFrame[]): Promise<void> {
    for (let at = 0; at < frames.length; at += MAX_ITEMS) {
      const items = frames.slice(at, at + MAX_ITEMS).map(
        ({ camera, vector, capturedAt = Date.now(), verdicts = [], thumbnail }): EmbeddingItem => ({
          ...{ seq: ++this.#seq, camera, capturedAt, vector: vectorToBytes(vector), verdicts: [...verdicts] },
          ...(thumbnail === undefined ? {} : { thumbnail }),
        }),
      )
      const head = { v: 1, session: SESSION, dtype: 'f32', historical: false, skipped: [] }
      await this.#publish('emb', encodeMessagePack({ ...head, ...this.#space, items }))
    }
  }

  /** On line, with these cameras. */
  async state(cameras: NodeState['cameras']): Promise<void> {
    await this.#publish(
      'state',
      encodeJson({
        ...{ v: 1, online: true, at: Date.now(), session: SESSION, agent: '0.1.0', provider: 'cpu' },
        ...{ fingerprint: this.#space.fingerprint, rulesGroup: 'all', rulesVersion: 1, configVersion: 0 },
        cameras,
      } satisfies NodeState),
      true,
    )
  }

  async stats(cameras: NodeStats['cameras']): Promise<void> {
    await this.#publish(
      'stats',
      encodeJson({
        ...{ v: 1, at: Date.now(), uptimeSeconds: 60, framesSeen: 1, framesGated: 0, framesEmbedded: 1 },
        ...{ framesFailed: 0, outboxRecords: 0, outboxBytes: 0, outboxDropped: 0, encodeP50Ms: 1 },
        ...{ decisionP95Ms: 1, rssBytes: 1, cameras },
      } satisfies NodeStats),
    )
  }

  async close(): Promise<void> {
    await this.#client.endAsync()
  }

  async #publish(type: 'emb' | 'state' | 'stats', payload: Uint8Array, retain = false): Promise<void> {
    await this.#client.publishAsync(nodeTopic(type, this.#address), Buffer.from(payload), { qos: 1, retain })
  }
}
