import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import {
  type ClipModel,
  createLog,
  encodeMessagePack,
  fault,
  loadModel,
  rulesTopic,
  signBundle,
  signingKeyId,
  systemClock,
} from '@sightline/core'
import { FolderCamera } from '@sightline/edge-agent/camera/folder-camera.js'
import { Gate } from '@sightline/edge-agent/gate.js'
import { Metrics } from '@sightline/edge-agent/metrics.js'
import { Incidents } from '@sightline/edge-agent/moderation/incidents.js'
import { RuleCache } from '@sightline/edge-agent/moderation/rule-cache.js'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { Pipeline, type PipelineParts } from '@sightline/edge-agent/pipeline.js'
import { compileRules } from '@sightline/hub/rules/compile.js'
import { starterRules } from '@sightline/hub/rules/starter-rules.js'
import { ulid } from 'ulid'
import {
  type BenchOptions,
  type Comparison,
  compareCost,
  compareRate,
  interleave,
  type Section,
} from './measure.ts'
import { cameraPictures, MODEL_DIR, writePictures } from './pictures.ts'

const FRAMES = 16
const GATE = { threshold: 2.5, maxSilenceSeconds: 60 }
/** Frames come as fast as they are taken. */
const UNPACED = { ...systemClock, sleep: async () => {} }

/** Frames a second of the whole edge pipeline beside decoding and encoding alone. */
export async function pipeline({ quick, dir }: BenchOptions): Promise<Section> {
  const log = createLog({ name: 'bench', level: 'silent' })
  const pictures = await cameraPictures(FRAMES)
  const folder = await writePictures(join(dir, 'camera'), pictures)
  const model = await loadModel({ dir: MODEL_DIR })
  await model.warmUp()
  const limits = { maxBytes: 2 ** 31, minFreeDiskBytes: 0 }
  const outbox = await Outbox.open({
    dir: join(dir, 'outbox'),
    limits,
    clock: systemClock,
    log,
    newId: ulid,
  })
  const { privateKey: signer, publicKey } = generateKeyPairSync('ed25519')
  const topic = rulesTopic('bench', 'all', model.fingerprint)
  const trustedKeys = [publicKey.export({ format: 'pem', type: 'spki' }).toString()]
  const rules = new RuleCache({ dir: join(dir, 'rules'), space: model, topic, trustedKeys, log })
  await rules.load()
  const document = { version: 1, updatedAt: Date.now(), rules: starterRules() }
  const bundle = encodeMessagePack(await compileRules(document, model))
  const signature = signBundle(signer, topic, bundle)
  await rules.offer(encodeMessagePack({ v: 1, keyId: signingKeyId(signer), signature, bundle }))
  if (rules.error !== undefined) throw fault('RULES_INVALID', rules.error)
  const metrics = new Metrics()
  const incidents = new Incidents({ newId: ulid })
  const parts: PipelineParts = {
    model,
    rules,
    outbox,
    metrics,
    incidents,
    clock: systemClock,
    log,
    onIncident: () => {},
  }
  try {
    const bench = { model, pictures, folder, parts, rounds: quick ? 2 : 8 }
    return {
      title: 'Edge pipeline',
      comparisons: [
        await besideEncoding(bench, 1, 'all'),
        await besideEncoding(bench, 1, 'none'),
        await besideEncoding(bench, 4, 'all'),
        await gated(bench),
      ],
      figures: [],
      notes: [
        `A folder camera of ${FRAMES} different JPEGs of 1280x720, unpaced: read, gate, decode, encode, the ${starterRules().length} starter rules, incidents, thumbnail of 256 px, a durable commit to the LMDB outbox for each frame. Beside it \`encodeImages\` of the same JPEGs from memory, with as many callers as there are cameras.`,
        'Above 1 would be faster than encoding alone; what is missing to 1 is the price of everything else. The last row is the other way round: what a frame costs that the gate drops, as a share of encoding it.',
      ],
    }
  } finally {
    await outbox.close()
    await model.close()
  }
}

interface Bench {
  readonly model: ClipModel
  readonly pictures: readonly Buffer[]
  readonly folder: string
  readonly parts: PipelineParts
  readonly rounds: number
}

async function besideEncoding(
  bench: Bench,
  cameras: number,
  thumbnails: 'all' | 'none',
): Promise<Comparison> {
  const { model, pictures, folder, parts, rounds } = bench
  const each = (one: (name: string) => Promise<void>) =>
    Promise.all(Array.from({ length: cameras }, (_, i) => one(`camera-${i}`)))
  const samples = await interleave(
    {
      ours: () => each(name => film({ name, folder, parts, thumbnails })),
      theirs: () =>
        each(async () => {
          for (const picture of pictures) await model.encodeImages([picture])
        }),
    },
    rounds,
  )
  const who = cameras === 1 ? 'one camera' : `${cameras} cameras`
  return compareRate({
    ...samples,
    what: `${who}, ${thumbnails === 'all' ? 'thumbnails of all frames (default)' : 'no thumbnails'}`,
    beside: 'decoding and encoding alone',
    items: cameras * FRAMES,
    unit: 'frames/s',
  })
}

interface Filming {
  readonly name: string
  readonly folder: string
  readonly parts: PipelineParts
  readonly thumbnails: 'all' | 'none'
}

/** All frames of the folder, once. */
async function film({ name, folder, parts, thumbnails }: Filming): Promise<void> {
  const settings = {
    name,
    source: `folder:${folder}`,
    fps: 1e6,
    repeat: false,
    timeoutSeconds: 15,
    maxFrameBytes: 2 ** 24,
    ffmpegPath: 'ffmpeg',
  }
  const camera = new FolderCamera({ settings, dir: folder, clock: UNPACED })
  const pipeline = new Pipeline({
    settings: { name, thumbnails, thumbnailDetail: 'full', thumbnailPx: 256 },
    frames: signal => camera.frames(signal),
    gate: new Gate(GATE),
    parts,
  })
  await pipeline.run(new AbortController().signal)
}

async function gated({ model, pictures, rounds }: Bench): Promise<Comparison> {
  const gate = new Gate(GATE)
  const still = pictures[0]!
  await gate.passes(still, 0)
  const samples = await interleave(
    {
      ours: async () => {
        for (let i = 0; i < FRAMES; i++) await gate.passes(still, 1)
      },
      theirs: async () => {
        for (let i = 0; i < FRAMES; i++) await model.encodeImages([still])
      },
    },
    rounds,
  )
  return compareCost({
    ...samples,
    what: 'a frame that the gate drops',
    beside: 'encoding it',
    items: FRAMES,
    unit: 'ms a frame',
  })
}
