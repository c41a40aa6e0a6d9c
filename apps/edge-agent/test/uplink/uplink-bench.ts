import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { Link } from '@sightline/edge-agent/uplink/link.js'
import { downlinkTopics, Uplink } from '@sightline/edge-agent/uplink/uplink.js'
import { ulid } from 'ulid'
import { FINGERPRINT } from '../support/bundles.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { frameRecord } from '../support/records.ts'
import { until } from '../support/until.ts'
import { ADDRESS, TestBroker } from './broker.ts'

const SPACE = { fingerprint: FINGERPRINT, dim: 8 }
export const SETTINGS = {
  window: 4,
  batchItems: 4,
  batchBytes: 1_000_000,
  ackTimeoutSeconds: 10,
  replayPerSecond: 8,
  replayShare: 0.5,
  statsSeconds: 60,
  drainSeconds: 3,
}

/** An uplink with a real outbox and a real broker. */
export class UplinkBench {
  readonly broker: TestBroker
  /** Time-outs and paces run on this one; sockets and back-off are real. */
  readonly clock = new FakeClock()
  /** Bundles that came. */
  readonly rules: Uint8Array[] = []
  outbox: Outbox
  uplink: Uplink
  readonly #dir: string

  private constructor(dir: string, broker: TestBroker, outbox: Outbox) {
    this.#dir = dir
    this.broker = broker
    this.outbox = outbox
    this.uplink = this.make()
  }

  static async open(): Promise<UplinkBench> {
    const dir = await mkdtemp(join(tmpdir(), 'uplink-'))
    return new UplinkBench(dir, await new TestBroker().start(), await openOutbox(dir, 1e8))
  }

  async close(): Promise<void> {
    this.broker.acking = true
    const stopping = this.uplink.stop()
    await this.clock.advance(10_000)
    await stopping
    await this.outbox.close()
    await this.broker.stop()
    await rm(this.#dir, { recursive: true, force: true })
  }

  /** Another uplink for the same outbox. */
  make(settings = SETTINGS): Uplink {
    const topics = downlinkTopics(ADDRESS, FINGERPRINT)
    const link = new Link({
      settings: {
        url: this.broker.url,
        clientId: 'site.node',
        keepaliveSeconds: 30,
        connectTimeoutSeconds: 5,
        subscriptions: [topics.rules, topics.ack],
      },
      backoff: { delayMs: () => 10 },
      clock: systemClock,
      log: quiet,
    })
    return new Uplink({
      address: ADDRESS,
      settings,
      space: SPACE,
      outbox: this.outbox,
      link,
      report: {
        state: () => ({
          agent: '1',
          fingerprint: FINGERPRINT,
          provider: 'cpu',
          rulesGroup: 'all',
          rulesVersion: this.rules.length,
          configVersion: 0,
          cameras: [],
        }),
        stats: () => ({
          uptimeSeconds: 1,
          framesSeen: 0,
          framesGated: 0,
          framesEmbedded: 0,
          framesFailed: 0,
          outboxRecords: 0,
          outboxBytes: 0,
          outboxDropped: 0,
          encodeP50Ms: 0,
          decisionP95Ms: 0,
          rssBytes: 1,
          cameras: [],
        }),
      },
      onRules: async payload => {
        this.rules.push(payload)
      },
      clock: this.clock,
      log: quiet,
    })
  }

  /** An outbox of that size instead, with an uplink of its own. */
  async resize(maxBytes: number): Promise<void> {
    await this.outbox.close()
    await rm(this.#dir, { recursive: true })
    this.outbox = await openOutbox(this.#dir, maxBytes)
    this.uplink = this.make()
  }

  get records(): number {
    return this.outbox.counts.records
  }

  async append(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.outbox.append(frameRecord())))
  }

  /** Resolves when it has said so often that it is there. */
  online(count = 1): Promise<void> {
    return until(() => this.broker.states.filter(state => state.online).length >= count)
  }
}

function openOutbox(dir: string, maxBytes: number): Promise<Outbox> {
  const limits = { maxBytes, minFreeDiskBytes: 0 }
  return Outbox.open({ dir, limits, clock: new FakeClock(), log: quiet, newId: ulid })
}
