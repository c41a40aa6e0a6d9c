import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import {
  type ClipModel,
  encodeMessagePack,
  loadModel,
  nodeTopic,
  thumbnail,
  vectorToBytes,
} from '@sightline/core'
import { connectAsync, type MqttClient } from 'mqtt'
import { ulid } from 'ulid'
import { clusteredSet } from './clusters.ts'
import { type BenchOptions, type Comparison, compareRate, interleave, type Section } from './measure.ts'
import { cameraPictures, MODEL_DIR } from './pictures.ts'
import { startHub } from './processes.ts'

const DEVICES = 8
/** Messages that a device has under way; the agent's default. */
const WINDOW = 4
const BESIDE = 'aedes alone, nothing stored'

/** Records a second over real sockets into a durable store, beside a broker that stores nothing. */
export async function ingest({ quick, dir }: BenchOptions): Promise<Section> {
  const model = await loadModel({ dir: MODEL_DIR, towers: ['image'] })
  const hub = await startHub(dir, { mqtt: { maxMessagesPerSecond: 1_000_000 } })
  const aedes = await startAedes()
  const fleets: Fleet[] = []
  const fleet = async (port: number) => {
    const made = await Fleet.connect(port, model)
    fleets.push(made)
    return made
  }
  try {
    const bench: Bench = { ours: await fleet(hub.mqttPort), theirs: await fleet(aedes.port) }
    const rounds = quick ? 2 : 8
    const jpeg = await thumbnail((await cameraPictures(1))[0]!)
    const foreign = 'bench:000000000000'
    return {
      title: 'Ingest over MQTT',
      comparisons: [
        await compare(bench, { batch: 1, messages: 1600, fingerprint: foreign, rounds }),
        await compare(bench, { batch: 32, messages: 160, fingerprint: foreign, rounds }),
        await compare(bench, { batch: 32, messages: 160, fingerprint: foreign, rounds, jpeg }),
        await compare(bench, { batch: 32, messages: 160, fingerprint: model.fingerprint, rounds }),
      ],
      figures: [],
      notes: [
        `${DEVICES} \`mqtt.js\` clients in one process, ${WINDOW} messages of QoS 1 under way each, records of ${model.dim}-d vectors as an agent sends them; timed until the last PUBACK. The hub is a process of its own with default settings but no pacing of messages (\`mqtt.maxMessagesPerSecond\`): its PUBACK means checked, stored and on the disk (LMDB, group commit), and every device gets its \`ack\` besides. aedes alone, likewise a process of its own, keeps nothing: its PUBACK means read.`,
        '"indexed": vectors of the hub\'s own model, which go into the search index while they come in (the builder of its graphs then wants a core of its own); the others are of a model that the hub does not search.',
        'Above 1 would be faster than storing nothing.',
      ],
    }
  } finally {
    await Promise.all(fleets.map(each => each.close()))
    await model.close()
    await hub.program.stop()
    await aedes.stop()
  }
}

interface Bench {
  readonly ours: Fleet
  readonly theirs: Fleet
}

interface Load {
  readonly batch: number
  readonly messages: number
  readonly fingerprint: string
  readonly rounds: number
  readonly jpeg?: Uint8Array
}

async function compare({ ours, theirs }: Bench, load: Load): Promise<Comparison> {
  const { batch, messages, rounds, jpeg, fingerprint } = load
  const samples = await interleave({ ours: () => ours.send(load), theirs: () => theirs.send(load) }, rounds)
  const what = [
    batch === 1 ? 'one record a message' : `${batch} records a message`,
    jpeg === undefined ? '' : `, thumbnails of ${(jpeg.byteLength / 1024).toFixed(0)} KiB`,
    fingerprint.startsWith('bench:') ? '' : ', indexed',
  ].join('')
  return compareRate({ ...samples, what, beside: BESIDE, items: batch * messages, unit: 'records/s' })
}

/** Devices that publish as fast as their windows allow. */
class Fleet {
  readonly #devices: readonly Device[]

  private constructor(devices: readonly Device[]) {
    this.#devices = devices
  }

  static async connect(port: number, { dim }: ClipModel): Promise<Fleet> {
    const [vectors] = clusteredSet(1024, 0, dim).portions(1024)
    const bytes = vectors!.map(vectorToBytes)
    const devices = Array.from({ length: DEVICES }, async (_, i) => {
      const node = `device-${i}`
      const options = { clientId: `default~${node}`, reconnectPeriod: 0 }
      const client = await connectAsync(`mqtt://127.0.0.1:${port}`, options)
      await client.subscribeAsync(nodeTopic('ack', { site: 'default', node }), { qos: 1 })
      return new Device({ client, node, dim, vectors: bytes })
    })
    return new Fleet(await Promise.all(devices))
  }

  async send(load: Load): Promise<void> {
    await Promise.all(this.#devices.map(device => device.send(load)))
  }

  async close(): Promise<void> {
    await Promise.all(this.#devices.map(device => device.close()))
  }
}

interface DeviceOptions {
  readonly client: MqttClient
  readonly node: string
  readonly dim: number
  readonly vectors: readonly Uint8Array[]
}

class Device {
  readonly #options: DeviceOptions
  readonly #session = ulid()
  #seq = 0

  constructor(options: DeviceOptions) {
    this.#options = options
  }

  async send(load: Load): Promise<void> {
    const { client, node } = this.#options
    const topic = nodeTopic('emb', { site: 'default', node })
    let left = load.messages / DEVICES
    const lane = async () => {
      while (left-- > 0) await client.publishAsync(topic, this.#message(load), { qos: 1 })
    }
    await Promise.all(Array.from({ length: WINDOW }, lane))
  }

  async close(): Promise<void> {
    await this.#options.client.endAsync()
  }

  #message({ batch, fingerprint, jpeg }: Load): Buffer {
    const { dim, vectors } = this.#options
    const items = Array.from({ length: batch }, () => {
      const seq = ++this.#seq
      const vector = vectors[seq % vectors.length]!
      const verdicts = [{ rule: 'cat-in-view', score: 0.12, similarity: 0.31, fired: false }]
      const item = { seq, camera: 'yard', capturedAt: 1_700_000_000_000 + seq * 1000, vector, verdicts }
      return jpeg === undefined ? item : { ...item, thumbnail: jpeg }
    })
    const session = this.#session
    const header = { v: 1, session, fingerprint, dim, dtype: 'f32', historical: false, skipped: [] }
    return Buffer.from(encodeMessagePack({ ...header, items }))
  }
}

async function startAedes(): Promise<{ port: number; stop(): Promise<void> }> {
  const child: ChildProcess = fork(new URL('./aedes-process.ts', import.meta.url))
  const [port] = (await once(child, 'message')) as [number]
  return {
    port,
    stop: async () => {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
