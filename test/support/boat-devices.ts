import { eventually, HubApi } from './api.ts'
import type { HubHandle } from './processes.ts'
import { StagedDevice, type StagedFrame } from './staged-device.ts'
import { nearUnit, seededRandom } from './vectors.ts'

const RULE = 'boat-on-the-water'

/** Two devices whose frames are more or less like a boat. */
export interface BoatDevices {
  /** Cameras `pier` and `lock` of `quay` in `harbour`. */
  readonly harbour: StagedDevice
  /** Camera `door` of `porch` in `home`. */
  readonly home: StagedDevice
  /** What "a boat" is to the hub. */
  readonly boat: Float32Array
  close(): Promise<void>
}

/** Resolves when the frames of both are found. */
export async function boatDevices(
  hub: HubHandle,
  frames: { readonly harbour: number; readonly home: number },
): Promise<BoatDevices> {
  const api = new HubApi(hub.url)
  const encoded = await api.post<{ fingerprint: string; dim: number; texts: number[][] }>('/encode', {
    texts: ['a boat'],
  })
  const { texts, fingerprint, dim } = encoded
  const vectors = { fingerprint, dim }
  const boat = Float32Array.from(texts[0]!)
  const broker = `mqtt://127.0.0.1:${hub.mqttPort}`
  const harbour = await StagedDevice.connect(broker, { site: 'harbour', node: 'quay' }, vectors)
  const home = await StagedDevice.connect(broker, { site: 'home', node: 'porch' }, vectors)
  await harbour.frames(scenes(boat, frames.harbour, ['pier', 'lock']))
  await home.frames(scenes(boat, frames.home, ['door']))
  await eventually('all frames indexed', async () => {
    const { index } = await api.get<{ index: { vectors: number } }>('/system')
    return index.vectors === frames.harbour + frames.home ? true : undefined
  })
  const close = async () => {
    await harbour.close()
    await home.close()
  }
  return { harbour, home, boat, close }
}

/** Every third frame is one on which a rule fired; none has a picture. */
function scenes(boat: Float32Array, count: number, cameras: readonly string[]): StagedFrame[] {
  const random = seededRandom(count)
  return Array.from({ length: count }, (_, i) => ({
    camera: cameras[i % cameras.length]!,
    vector: nearUnit(boat, 0.4 + i / 60, random),
    capturedAt: Date.now() - (count - 1 - i) * 60_000,
    verdicts: [{ rule: RULE, score: 0.8, similarity: 0.3, fired: i % 3 === 0 }],
  }))
}
