import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeJson, encodeMessagePack, type IncidentEvent, nodeTopic } from '@sightline/core'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll } from 'vitest'
import { photoBatch, SESSION } from '../moderation/hub.ts'
import { HubCalls } from '../support/hub-calls.ts'
import { runningHub } from '../support/running-hub.ts'

export const address = { site: 'default', node: 'n1' }

/** A hub with four photos and one incident in it. */
export class PhotoHub extends HubCalls {
  url = ''
  #agent: MqttClient | undefined

  /** For all tests of a file. */
  static forAllTests(): PhotoHub {
    const photos = new PhotoHub()
    let end = async () => {}
    beforeAll(async () => {
      end = await photos.#start()
    }, 120_000)
    afterAll(() => end())
    return photos
  }

  /** The connection of its only device. */
  get agent(): MqttClient {
    return this.#agent!
  }

  async #start(): Promise<() => Promise<void>> {
    const dir = await mkdtemp(join(tmpdir(), 'api-'))
    const hub = await runningHub(dir, { http: { port: 0, maxLiveClients: 2, maxBodyBytes: 4_000_000 } })
    this.url = `http://127.0.0.1:${hub.httpPort}`
    this.#agent = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`, { clientId: 'default.n1' })
    await sendPhotos(this.#agent)
    return async () => {
      await this.agent.endAsync()
      await hub.stop()
      await rm(dir, { recursive: true, force: true })
    }
  }
}

/** As an agent sends them. */
async function sendPhotos(agent: MqttClient): Promise<void> {
  const batch = await photoBatch(({ thumbnail, ...item }, i) => ({
    ...item,
    camera: i % 2 === 0 ? 'yard' : 'lobby',
    verdicts: [{ rule: 'animal', score: 0.9, similarity: 0.4, fired: i === 0 }],
    ...(i === 3 || thumbnail === undefined ? {} : { thumbnail }),
  }))
  const event: IncidentEvent = {
    v: 1,
    session: SESSION,
    seq: 5,
    phase: 'new',
    incident: '01JD0000000000000000000001',
    rule: 'animal',
    ruleName: 'Animal',
    rulesVersion: 1,
    severity: 'low',
    camera: 'yard',
    at: Date.UTC(2026, 0, 1, 12),
    startedAt: Date.UTC(2026, 0, 1, 12),
    score: 0.9,
    peakScore: 0.9,
    frames: 1,
    bestFrame: 1,
  }
  await agent.publishAsync(nodeTopic('emb', address), Buffer.from(encodeMessagePack(batch)), { qos: 1 })
  await agent.publishAsync(nodeTopic('event', address), encodeJson(event), { qos: 1 })
  await agent.publishAsync(
    nodeTopic('state', address),
    encodeJson({
      v: 1,
      online: true,
      at: Date.now(),
      session: SESSION,
      agent: '0.1.0',
      fingerprint: batch.fingerprint,
      provider: 'cpu',
      rulesGroup: 'all',
      rulesVersion: 1,
      configVersion: 0,
      cameras: [{ camera: 'yard', status: 'running', lastFrameAt: Date.now() }],
    }),
    { qos: 1, retain: true },
  )
}
