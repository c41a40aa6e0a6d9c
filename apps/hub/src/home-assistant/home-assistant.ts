import type { Log, Service } from '@sightline/core'
import type { Ingest } from '../ingest/ingest.ts'
import type { RuleDesk } from '../rules/rule-desk.ts'
import type { RuleDatabase } from '../rules/rule-tables.ts'
import type { HubSettings } from '../settings.ts'
import type { NodeRecord, RecordStore } from '../store/record-store.ts'
import {
  availabilityTopic,
  configPayload,
  configTopic,
  type Sensor,
  STATE_PREFIX,
  sensorsOf,
  stateTopic,
} from './sensors.ts'

/** Cameras times rules; more than a Home Assistant could show. */
const MAX_SENSORS = 10_000

export interface HomeAssistantOptions {
  readonly settings: HubSettings['homeAssistant']
  readonly version: string
  readonly store: Pick<RecordStore, 'nodes' | 'incidents'>
  readonly ingest: Pick<Ingest, 'on'>
  readonly rules: Pick<RuleDesk, 'get' | 'onChange'>
  /** Where it is written down what has been published, to be taken back one day. */
  readonly db: RuleDatabase
  readonly publish: (message: { topic: string; payload: Uint8Array; qos: 1; retain: true }) => Promise<void>
  readonly log: Log
}

/**
 * Shows every camera and rule to Home Assistant as a binary sensor that is on while an incident is open. Everything is
 * retained: whoever comes later sees the present. What is gone is cleared by an empty retained message (MQTT 3.1.1,
 * 3.3.1.3), also after a restart.
 */
export class HomeAssistant implements Service {
  readonly name = 'home assistant'
  readonly #options: HomeAssistantOptions
  /** Topic -> what lies there, as far as this process has put it there. */
  readonly #held = new Map<string, string>()
  readonly #detach: (() => void)[] = []
  /** What sensors are made of, by device: most of what a device reports changes nothing of it. */
  readonly #heard = new Map<string, string>()
  #last: Promise<void> = Promise.resolve()
  #due = false
  #warned = false

  constructor(options: HomeAssistantOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { ingest, rules } = this.#options
    const refresh = () => this.#refresh()
    this.#detach.push(
      ingest.on('node', node => {
        if (this.#isNews(node)) refresh()
      }),
      ingest.on('stored', ({ incidents }) => {
        if (incidents.length > 0) refresh()
      }),
      rules.onChange(refresh),
    )
    refresh()
    await this.#last
  }

  async stop(): Promise<void> {
    for (const detach of this.#detach.splice(0)) detach()
    await this.#last
  }

  #isNews({ site, node, state }: NodeRecord): boolean {
    const cameras = state?.cameras.map(({ camera }) => camera)
    const news = JSON.stringify([state?.online, state?.rulesGroup, cameras])
    const key = `${site}~${node}`
    if (this.#heard.get(key) === news) return false
    this.#heard.set(key, news)
    return true
  }

  /** What happens while one is waiting for its turn, that one sees, too. */
  #refresh(): void {
    if (this.#due) return
    this.#due = true
    this.#last = this.#last.then(async () => {
      this.#due = false
      try {
        await this.#publishAll()
      } catch (err) {
        this.#options.log.error({ err }, 'home assistant not told')
      }
    })
  }

  async #publishAll(): Promise<void> {
    const { tables, write } = this.#options.db
    const wanted = this.#wanted()
    const gone = [...tables.sensors.getKeys()].filter(topic => !wanted.has(topic))
    const added = [...wanted.keys()].filter(topic => !tables.sensors.doesExist(topic))
    // Noted down first: what is published but not noted down could never be taken back.
    if (added.length > 0)
      await write(() => {
        for (const topic of added) tables.sensors.put(topic, true)
      })
    for (const topic of gone) await this.#put(topic, '')
    for (const [topic, payload] of wanted)
      if (this.#held.get(topic) !== payload) await this.#put(topic, payload)
    if (gone.length === 0) return
    for (const topic of gone) this.#held.delete(topic)
    await write(() => {
      for (const topic of gone) tables.sensors.remove(topic)
    })
  }

  /** Topics in the order of publishing: a sensor's state before the sensor. */
  #wanted(): Map<string, string> {
    const { settings, version, store, rules, log } = this.#options
    const all = sensorsOf(store.nodes(), rules.get().rules)
    const sensors = all.slice(0, MAX_SENSORS)
    if (all.length > sensors.length && !this.#warned) {
      this.#warned = true
      log.warn({ sensors: all.length, shown: MAX_SENSORS }, 'too many sensors for home assistant')
    }
    const open = new Set(store.incidents({ open: true }, MAX_SENSORS).map(incidentTopic))
    const wanted = new Map<string, string>()
    for (const sensor of sensors) wanted.set(availabilityTopic(sensor), sensor.online ? 'online' : 'offline')
    for (const sensor of sensors) {
      const topic = stateTopic(sensor)
      wanted.set(topic, open.has(topic) ? 'ON' : 'OFF')
      wanted.set(configTopic(settings.prefix, sensor), JSON.stringify(configPayload(sensor, version)))
    }
    return wanted
  }

  async #put(topic: string, payload: string): Promise<void> {
    await this.#options.publish({ topic, payload: Buffer.from(payload), qos: 1, retain: true })
    this.#held.set(topic, payload)
  }
}

function incidentTopic({
  site,
  node,
  camera,
  rule,
}: Omit<Sensor, 'rule' | 'online'> & { rule: string }): string {
  return stateTopic({ site, node, camera, rule: { id: rule } })
}

/** Which topics a Home Assistant may read, and which of its own messages are let pass unread. */
export function homeAssistantTopics({ enabled, prefix }: HubSettings['homeAssistant']) {
  const isReadable = (filter: string) =>
    enabled && (filter.startsWith(`${prefix}/`) || filter.startsWith(`${STATE_PREFIX}/`))
  /** Its birth and last will: refused, they would close its connection. */
  const isStatus = (topic: string) => enabled && topic === `${prefix}/status`
  return { isReadable, isStatus }
}
