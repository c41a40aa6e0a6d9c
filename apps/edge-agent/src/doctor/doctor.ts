import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { CameraStatus, Clock } from '@sightline/core'
import { EMBEDDED_MODEL, modelCacheDir } from '../model-dir.ts'
import type { AgentSettings } from '../settings.ts'
import type { BrokerLogin } from '../uplink/link.ts'
import { examineCameras, runningCameras } from './cameras.ts'
import { examineCredential } from './credential.ts'
import { examineDevice } from './device.ts'
import type { Finding } from './finding.ts'
import { examineHub } from './hub.ts'
import { examineModel } from './model.ts'

export interface DoctorOptions {
  readonly settings: AgentSettings & { readonly node: string }
  readonly clock: Clock
  /** Address of the hub's HTTP side, for the clock. */
  readonly hubUrl?: string
  /** Of an enrolled device. */
  readonly login?: BrokerLogin
  /** Asked of an agent that runs: its cameras and its connection are in use, and may allow no second user. */
  readonly running?: RunningAgent
}

export interface RunningAgent {
  readonly cameras: readonly CameraStatus[]
  readonly online: boolean
}

/** Looks at everything that an agent with these settings needs, and says so as it goes. Changes nothing. */
export async function* examine(options: DoctorOptions): AsyncGenerator<Finding> {
  const { settings, clock, hubUrl, login, running } = options
  const { dataDir, outbox, model, cameras, broker, site, node } = settings
  // Under way while the model is looked at.
  const seen = running === undefined ? examineCameras(cameras, clock) : runningCameras(running)
  const hub = examineHub({
    broker,
    clientId: `${site}~${node}~doctor`,
    ...(hubUrl === undefined ? {} : { httpUrl: hubUrl }),
    ...(login === undefined ? {} : { login }),
    ...(running === undefined ? {} : { online: running.online }),
  })
  yield* await examineDevice({ dataDir, minFreeDiskBytes: outbox.minFreeDiskBytes })
  const cache = await ownCacheDir(resolve(dataDir))
  try {
    yield* examineModel({
      dir: model.dir ?? EMBEDDED_MODEL,
      provider: model.provider,
      threads: model.threads,
      cacheDir: cache.dir,
      wantedFps: cameras.reduce((sum, { fps }) => sum + fps, 0),
    })
  } finally {
    await cache.remove()
  }
  yield* await seen
  yield* await hub
  yield* await examineCredential(resolve(dataDir), clock)
}

/**
 * The agent's cache when it belongs to this user, else a passing one: a doctor run as root must not leave directories
 * that the agent's user cannot write to.
 */
async function ownCacheDir(dataDir: string): Promise<{ dir: string; remove: () => Promise<void> }> {
  const owner = (await stat(dataDir).catch(() => undefined))?.uid
  if (owner !== undefined && owner === process.getuid?.())
    return { dir: modelCacheDir(dataDir), remove: async () => {} }
  const dir = await mkdtemp(join(tmpdir(), 'sightline-doctor-'))
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}
