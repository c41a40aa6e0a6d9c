import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, fault, nodeTopic, systemClock } from '@sightline/core'
import type { BrokerLink } from '@sightline/hub/broker/broker-link.js'
import { openBroker } from '@sightline/hub/broker/open-broker.js'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ADDRESS, batchOf, stateOf } from '../ingest/messages.ts'
import { hasMosquitto, Mosquitto } from '../support/mosquitto.ts'
import { MQTT_LIMITS } from '../support/mqtt-settings.ts'
import { nextEvent } from '../support/next-event.ts'

const log = createLog({ name: 'test', level: 'silent' })
const MQTT = { host: '127.0.0.1', port: 0, maxPacketBytes: 2 ** 20, maxConnections: 50, ...MQTT_LIMITS }
const TIMEOUT_MS = 60_000

/** Where the devices connect to. */
interface Site {
  readonly open: (ingest: Pick<Ingest, 'accept'>) => BrokerLink
  readonly url: (link: BrokerLink) => string
}

const embedded: Site = {
  open: ingest =>
    openBroker({
      settings: { mqtt: MQTT, broker: { access: 'auto', clientId: 'hub' } },
      ingest,
      clock: systemClock,
      log,
    }),
  url: link => `mqtt://127.0.0.1:${link.port}`,
}

const mosquitto = new Mosquitto()
const external: Site = {
  open: ingest =>
    openBroker({
      settings: { mqtt: MQTT, broker: { access: 'auto', clientId: 'hub', url: mosquitto.url } },
      ingest,
      clock: systemClock,
      log,
    }),
  url: () => mosquitto.url,
}

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: TIMEOUT_MS, interval: 20 })

let dir = ''
let store: RecordStore
let ingest: Ingest
let link: BrokerLink
const devices: MqttClient[] = []

async function device(
  url: string,
  clientId = 'device',
  options: Partial<IClientOptions> = {},
): Promise<MqttClient> {
  const client = await connectAsync(url, { clientId, protocolVersion: 4, reconnectPeriod: 0, ...options })
  client.on('error', () => {})
  devices.push(client)
  return client
}

/** With every connection it makes. */
const connected = () => until(() => expect(link.clients).toBeGreaterThanOrEqual(5))

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'link-'))
  store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  ingest = new Ingest({ store, publish: message => link.publish(message), clock: systemClock, log })
})

afterEach(async () => {
  for (const each of devices.splice(0)) each.end(true)
  await link.stop()
  await store.close()
  await rm(dir, { recursive: true })
})

const upTo = (session: string) => store.stored(ADDRESS.site, ADDRESS.node, session).upTo
const batch = (...seqs: number[]) => Buffer.from(batchOf(seqs))

for (const [name, site] of [
  ['embedded broker', embedded],
  ['external broker', external],
] as const) {
  describe.skipIf(site === external && !hasMosquitto)(`a link to devices: ${name}`, () => {
    beforeEach(async () => {
      if (site === external) await mosquitto.start()
      link = site.open(ingest)
      await link.start()
      if (site === external) await connected()
    })
    afterEach(() => mosquitto.remove())

    it('stores what devices send, and tells them so', async () => {
      const client = await device(site.url(link))
      const acks: { upTo: number; session: string }[] = []
      client.on('message', (_topic, payload) => acks.push(JSON.parse(payload.toString())))
      await client.subscribeAsync(nodeTopic('ack', ADDRESS), { qos: 1 })
      for (let seq = 1; seq <= 20; seq++)
        await client.publishAsync(nodeTopic('emb', ADDRESS), batch(seq), { qos: 1 })
      await until(() => expect(acks.at(-1)?.upTo).toBe(20))
      expect(upTo(acks[0]!.session)).toBe(20)
      expect(ingest.stats).toMatchObject({ frames: 20, duplicates: 0 })
    })

    it('takes states, and wills', async () => {
      const topic = nodeTopic('state', ADDRESS)
      const will = { topic, payload: stateOf({ online: false }), qos: 1, retain: true } as const
      const client = await device(site.url(link), 'mortal', { will })
      await client.publishAsync(topic, stateOf(), { qos: 1, retain: true })
      await until(() => expect(store.nodes()[0]?.state?.online).toBe(true))
      client.stream.destroy()
      await until(() => expect(store.nodes()[0]?.state?.online).toBe(false))
    })

    it('keeps retained messages for whoever comes later, until they are cleared', async () => {
      const topic = nodeTopic('cfg/desired', ADDRESS)
      const retained = (payload: Buffer) => link.publish({ topic, payload, qos: 1, retain: true })
      const heard = async (clientId: string) => {
        const client = await device(site.url(link), clientId)
        const messages: string[] = []
        client.on('message', (_topic, payload) => messages.push(payload.toString()))
        await client.subscribeAsync(topic, { qos: 1 })
        // Comes after what is retained.
        await link.publish({ topic, payload: Buffer.from('end'), qos: 1, retain: false })
        await until(() => expect(messages.at(-1)).toBe('end'))
        return messages
      }
      await retained(Buffer.from('one'))
      await retained(Buffer.from('two'))
      expect(await heard('a')).toEqual(['two', 'end'])
      await retained(Buffer.alloc(0))
      expect(await heard('b')).toEqual(['end'])
    })

    it('does not confirm what was not stored: it comes again', async () => {
      let failures = 2
      const { accept } = ingest
      vi.spyOn(ingest, 'accept').mockImplementation(async (topic, payload) => {
        if (failures-- > 0) throw fault('STORE_FAILED', 'disk full')
        await accept.call(ingest, topic, payload)
      })
      // As an agent does: a publish that was not confirmed is made anew.
      for (let tries = 0; tries < 4 && ingest.stats.frames === 0; tries++) {
        const client = await device(site.url(link))
        const sent = client.publishAsync(nodeTopic('emb', ADDRESS), batch(1), { qos: 1 })
        await Promise.race([sent, nextEvent(client, 'close')])
        if (site === external) break
        client.end(true)
      }
      await until(() => expect(ingest.stats.frames).toBe(1))
    })

    it('has stored what it has taken when it stops', async () => {
      const client = await device(site.url(link))
      for (let seq = 1; seq <= 50; seq++)
        client.publish(nodeTopic('emb', ADDRESS), batch(seq), { qos: 1 }, () => {})
      await until(() => expect(ingest.stats.messages).toBeGreaterThan(5))
      await link.stop()
      expect(ingest.stats.messages).toBe(ingest.stats.frames)
    })
  })
}

describe.skipIf(!hasMosquitto)('an external broker', () => {
  afterEach(() => mosquitto.remove())

  it('keeps what comes while the hub is down: it arrives once', async () => {
    await mosquitto.start()
    link = external.open(ingest)
    await link.start()
    await connected()
    await link.stop()
    const client = await device(mosquitto.url)
    for (let seq = 1; seq <= 60; seq++)
      await client.publishAsync(nodeTopic('emb', ADDRESS), batch(seq), { qos: 1 })
    expect(ingest.stats.messages).toBe(0)
    link = external.open(ingest)
    await link.start()
    await until(() => expect(ingest.stats.frames).toBe(60))
    await connected()
    expect(ingest.stats).toMatchObject({ messages: 60, duplicates: 0 })
  })

  it('may come later than the hub, and go: what is retained is published then', async () => {
    await mosquitto.start()
    await mosquitto.stop()
    link = external.open(ingest)
    await link.start()
    const topic = nodeTopic('cfg/desired', ADDRESS)
    await link.publish({ topic, payload: Buffer.from('settings'), qos: 1, retain: true })
    const ack = {
      topic: nodeTopic('ack', ADDRESS),
      payload: Buffer.from('{}'),
      qos: 1,
      retain: false,
    } as const
    await expect(link.publish(ack)).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' })
    await mosquitto.start()
    const client = await until(() => device(mosquitto.url))
    const messages: string[] = []
    client.on('message', (_topic, payload) => messages.push(payload.toString()))
    await client.subscribeAsync(topic, { qos: 1 })
    await until(() => expect(messages).toEqual(['settings']))
  })

  it('of MQTT 3.1.1 alone is served over one connection', async () => {
    const other = embedded.open({ accept: async () => {} })
    await other.start()
    link = openBroker({
      settings: { mqtt: MQTT, broker: { access: 'auto', clientId: 'hub', url: embedded.url(other) } },
      ingest,
      clock: systemClock,
      log,
    })
    await link.start()
    await until(() => expect(link.clients).toBe(1))
    const client = await device(embedded.url(other))
    await client.publishAsync(nodeTopic('emb', ADDRESS), batch(1), { qos: 1 })
    await until(() => expect(ingest.stats.frames).toBe(1))
    await link.stop()
    await other.stop()
  })
})
