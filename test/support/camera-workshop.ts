import { execFile, spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Camera, CameraSettings, Frame } from '@sightline/edge-agent/camera/camera.js'
import sharp from 'sharp'

/** One implementation of the port, with a source that the test can take away and bring back. */
export interface CameraHarness {
  readonly source: string
  /** Width of its pictures. */
  readonly width: number
  die(): Promise<void>
  revive(): Promise<void>
  close(): Promise<void>
}

const WIDTH = 64
const HEIGHT = 48
export const FPS = 20

export const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0
if (!hasFfmpeg)
  process.stderr.write('skipped: the ffmpeg camera contract needs ffmpeg (apt-get install ffmpeg)\n')

/** Where sources are made: a directory of its own and three pictures. */
export class CameraWorkshop {
  readonly dir: string
  readonly #pictures: readonly Buffer[]

  private constructor(dir: string, pictures: readonly Buffer[]) {
    this.dir = dir
    this.#pictures = pictures
  }

  static async open(): Promise<CameraWorkshop> {
    const pictures = ['#c00', '#0c0', '#00c'].map(background =>
      sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background } })
        .jpeg()
        .toBuffer(),
    )
    return new CameraWorkshop(await mkdtemp(join(tmpdir(), 'camera-')), await Promise.all(pictures))
  }

  close(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true })
  }

  async folder(): Promise<CameraHarness> {
    const folder = await mkdtemp(join(this.dir, 'folder-'))
    for (const [i, picture] of this.#pictures.entries()) await writeFile(join(folder, `${i}.jpg`), picture)
    await writeFile(join(folder, 'notes.txt'), 'not a picture')
    const away = `${folder}-away`
    return {
      source: `folder:${folder}`,
      width: WIDTH,
      die: () => rename(folder, away),
      revive: () => rename(away, folder),
      close: async () => {},
    }
  }

  snapshot(): Promise<CameraHarness> {
    let served = 0
    return http(response => {
      response
        .writeHead(200, { 'content-type': 'image/jpeg' })
        .end(this.#pictures[served++ % this.#pictures.length])
    })
  }

  mjpeg({ withLength }: { withLength: boolean }): Promise<CameraHarness> {
    return http(response => {
      response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' })
      let sent = 0
      const timer = setInterval(() => {
        const picture = this.#pictures[sent++ % this.#pictures.length]!
        const length = withLength ? `Content-Length: ${picture.length}\r\n` : ''
        response.write(`--frame\r\nContent-Type: image/jpeg\r\n${length}\r\n`)
        response.write(picture)
        response.write('\r\n')
      }, 5)
      response.on('close', () => clearInterval(timer))
    })
  }

  async film(): Promise<CameraHarness> {
    const film = join(await mkdtemp(join(this.dir, 'film-')), 'film.avi')
    const input = ['-f', 'lavfi', '-i', `testsrc=duration=0.4:size=${WIDTH}x${HEIGHT}:rate=25`]
    await promisify(execFile)('ffmpeg', ['-y', '-loglevel', 'error', ...input, '-c:v', 'mpeg4', film])
    const spare = `${film}.spare`
    await copyFile(film, spare)
    return {
      source: film,
      width: WIDTH,
      die: () => rm(film),
      revive: () => copyFile(spare, film),
      close: async () => {},
    }
  }
}

async function http(serve: (response: ServerResponse) => void): Promise<CameraHarness> {
  const server: Server = createServer((_request, response) => serve(response))
  let port = 0
  const listen = () =>
    new Promise<void>(resolve =>
      server.listen(port, '127.0.0.1', () => {
        port = (server.address() as AddressInfo).port
        resolve()
      }),
    )
  const die = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await listen()
  return { source: `http://127.0.0.1:${port}/live`, width: WIDTH, die, revive: listen, close: die }
}

export function settingsFor(source: string, change: Partial<CameraSettings> = {}): CameraSettings {
  return {
    name: 'gate',
    source,
    fps: FPS,
    repeat: true,
    timeoutSeconds: 5,
    maxFrameBytes: 1_000_000,
    ffmpegPath: 'ffmpeg',
    ...change,
  }
}

export async function take(frames: AsyncIterable<Frame>, count: number): Promise<Frame[]> {
  const taken: Frame[] = []
  for await (const frame of frames) {
    taken.push(frame)
    if (taken.length >= count) break
  }
  return taken
}

/** Everything that the camera gives until it fails; the failure. */
export async function failureOf(camera: Camera): Promise<unknown> {
  try {
    for await (const _ of camera.frames(new AbortController().signal)) {
      // only the end is of interest
    }
  } catch (error) {
    return error
  }
  return undefined
}
