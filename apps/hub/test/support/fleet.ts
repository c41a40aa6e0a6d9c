import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Address, type Clock, checkConfig, createLog, type DeviceCredential } from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import { Gatekeeper } from '@sightline/hub/broker/gatekeeper.js'
import { deviceId } from '@sightline/hub/fleet/device-id.js'
import { DeviceLogins } from '@sightline/hub/fleet/device-logins.js'
import { EnrolmentDesk } from '@sightline/hub/fleet/enrolment-desk.js'
import { LiveDevices } from '@sightline/hub/fleet/live-devices.js'
import { LmdbDeviceRegistry } from '@sightline/hub/fleet/lmdb-device-registry.js'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { AuditLog } from '@sightline/hub/store/audit-log.js'
import { type LmdbRecordStore, openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'

const log = createLog({ name: 'test', level: 'silent' })
export const URLS = { hubUrl: 'https://hub', brokerUrl: 'mqtts://hub' }
const KEY = '-----BEGIN PUBLIC KEY-----'

/** What a hub needs for its devices, on real data and a real broker, without its model. */
export class TestFleet {
  readonly #dir: string
  readonly #clients: MqttClient[] = []
  readonly store: LmdbRecordStore
  readonly registry: LmdbDeviceRegistry
  readonly audit: AuditLog
  readonly logins: DeviceLogins
  readonly desk: EnrolmentDesk
  readonly ingest: Ingest
  readonly gate: Gatekeeper
  readonly broker: Broker
  readonly live: LiveDevices

  private constructor(dir: string, store: LmdbRecordStore, clock: Clock, document: object) {
    this.#dir = dir
    this.store = store
    const { environment } = store
    const settings = checkConfig(HubSettings, { mqtt: { port: 0 }, ...document }, 'test')
    this.registry = new LmdbDeviceRegistry(environment)
    this.audit = new AuditLog({ environment, clock, log })
    this.logins = new DeviceLogins({ registry: this.registry, clock, log })
    this.ingest = new Ingest({ store, publish: message => this.broker.publish(message), clock, log })
    this.gate = new Gatekeeper({
      settings,
      fleet: { registry: this.registry, logins: this.logins },
      clock,
      log,
    })
    this.broker = new Broker({ settings: settings.mqtt, ingest: this.ingest, log, gate: this.gate })
    this.live = new LiveDevices({ registry: this.registry, broker: this.broker, clock, log })
    this.desk = new EnrolmentDesk({
      registry: this.registry,
      audit: this.audit,
      identity: { ca: () => null, caSha256: () => undefined, rulesKeys: [KEY] },
      clock,
      onChange: () => this.live.check(),
    })
  }

  static async start(clock: Clock, document: object = {}): Promise<TestFleet> {
    const dir = await mkdtemp(join(tmpdir(), 'fleet-'))
    const store = await openLmdbStore({ dir, clock, log, minFreeBytes: 0 })
    const fleet = new TestFleet(dir, store, clock, document)
    await fleet.broker.start()
    return fleet
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.end(true)
    await this.live.stop()
    await this.broker.stop()
    await this.store.close()
    await rm(this.#dir, { recursive: true, force: true })
  }

  async enrol(address: Address): Promise<DeviceCredential> {
    const { token } = await this.desk.issue(address, { actor: 'test' })
    return await this.desk.enroll({ token, agent: '0' }, URLS)
  }

  /** With a credential, as it should be unless `change` says otherwise. Rejects when the broker refuses. */
  async connect(credential?: DeviceCredential, change: IClientOptions = {}): Promise<MqttClient> {
    const id = credential && deviceId(credential)
    const client = await connectAsync(
      `mqtt://127.0.0.1:${this.broker.port}`,
      {
        reconnectPeriod: 0,
        protocolVersion: 4,
        ...(credential === undefined ? {} : { clientId: id!, username: id!, password: credential.secret }),
        ...change,
      },
      false,
    )
    client.on('error', () => {})
    this.#clients.push(client)
    return client
  }
}
