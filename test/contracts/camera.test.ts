import { execFile, spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createLog, decodeImage, type ImageInput, systemClock } from '@sightline/core'
import type { Camera, CameraSettings, Frame } from '@sightline/edge-agent/camera/camera.js'
import { openCamera } from '@sightline/edge-agent/camera/open-camera.js'
import { CameraSupervisor } from '@sightline/edge-agent/camera/supervisor.js'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

/** One implementation of the port, with a source that the test can take away and bring back. */
interface Harness {
  readonly source: string
  /** Width of its pictures. */
  readonly width: number
  die(): Promise<void>
  revive(): Promise<void>
  close(): Promise<void>
}

const WIDTH = 64
const HEIGHT = 48
const FPS = 20

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0
if (!hasFfmpeg)
  process.stderr.write('skipped: the ffmpeg camera contract needs ffmpeg (apt-get install ffmpeg)\n')

let dir = ''
let pictures: Buffer[] = []
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'camera-'))
  pictures = await Promise.all(
    ['#c00', '#0c0', '#00c'].map(background =>
      sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background } })
        .jpeg()
        .toBuffer(),
    ),
  )
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function folderHarness(): Promise<Harness> {
  const folder = await mkdtemp(join(dir, 'folder-'))
  for (const [i, picture] of pictures.entries()) await writeFile(join(folder, `${i}.jpg`), picture)
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

async function httpHarness(serve: (response: ServerResponse) => void): Promise<Harness> {
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

function snapshotHarness(): Promise<Harness> {
  let served = 0
  return httpHarness(response => {
    response.writeHead(200, { 'content-type': 'image/jpeg' }).end(pictures[served++ % pictures.length])
  })
}

function mjpegHarness({ withLength }: { withLength: boolean }): Promise<Harness> {
  return httpHarness(response => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' })
    let sent = 0
    const timer = setInterval(() => {
      const picture = pictures[sent++ % pictures.length]!
      const length = withLength ? `Content-Length: ${picture.length}\r\n` : ''
      response.write(`--frame\r\nContent-Type: image/jpeg\r\n${length}\r\n`)
      response.write(picture)
      response.write('\r\n')
    }, 5)
    response.on('close', () => clearInterval(timer))
  })
}

async function filmHarness(): Promise<Harness> {
  const film = join(await mkdtemp(join(dir, 'film-')), 'film.avi')
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

const IMPLEMENTATIONS: readonly [name: string, make: () => Promise<Harness>, runs: boolean][] = [
  ['folder', folderHarness, true],
  ['http snapshot', snapshotHarness, true],
  ['http MJPEG with lengths', () => mjpegHarness({ withLength: true }), true],
  ['http MJPEG without lengths', () => mjpegHarness({ withLength: false }), true],
  ['ffmpeg film', filmHarness, hasFfmpeg],
]

function settingsFor(source: string, change: Partial<CameraSettings> = {}): CameraSettings {
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

async function take(frames: AsyncIterable<Frame>, count: number): Promise<Frame[]> {
  const taken: Frame[] = []
  for await (const frame of frames) {
    taken.push(frame)
    if (taken.length >= count) break
  }
  return taken
}

async function widthOf(image: ImageInput): Promise<number> {
  return (await decodeImage(image)).width
}

/** Everything that the camera gives until it fails; the failure. */
async function failureOf(camera: Camera, signal = new AbortController().signal): Promise<unknown> {
  try {
    for await (const _ of camera.frames(signal)) {
      // only the end is of interest
    }
  } catch (error) {
    return error
  }
  return undefined
}

for (const [name, make, runs] of IMPLEMENTATIONS) {
  describe.skipIf(!runs)(`Camera contract: ${name}`, () => {
    let harness: Harness
    const open = (change: Partial<CameraSettings> = {}) =>
      openCamera({ settings: settingsFor(harness.source, change), clock: systemClock })
    afterEach(() => harness.close())

    it('gives frames with its name, the time and a picture', async () => {
      harness = await make()
      const before = Date.now()
      const frames = await take(open().frames(new AbortController().signal), 4)
      expect(frames).toHaveLength(4)
      for (const frame of frames) {
        expect(frame.camera).toBe('gate')
        expect(frame.capturedAt).toBeGreaterThanOrEqual(before)
        expect(frame.capturedAt).toBeLessThanOrEqual(Date.now())
        expect(await widthOf(frame.image)).toBe(harness.width)
      }
    })

    it('gives no more than fps', async () => {
      harness = await make()
      const startedMs = performance.now()
      await take(open().frames(new AbortController().signal), 7)
      // Six intervals of 50 ms, less what timers and pipes may be early.
      expect(performance.now() - startedMs).toBeGreaterThan(6 * (1000 / FPS) * 0.75)
    })

    it('ends without an error when it is stopped, and opens again', async () => {
      harness = await make()
      const camera = open()
      for (let life = 0; life < 2; life++) {
        const stop = new AbortController()
        let count = 0
        for await (const _ of camera.frames(stop.signal)) if (++count === 2) stop.abort()
        expect(count).toBe(2)
      }
    })

    it('ends at once when it is stopped while it waits for a frame', async () => {
      harness = await make()
      const stop = new AbortController()
      const startedMs = performance.now()
      const frames = take(open({ fps: 0.01 }).frames(stop.signal), 2)
      const timer = setInterval(() => stop.abort(), 300)
      expect((await frames).length).toBeLessThan(2)
      clearInterval(timer)
      expect(performance.now() - startedMs).toBeLessThan(4_000)
    })

    it('fails with a code when its source dies, and works when it is back', async () => {
      harness = await make()
      const camera = open()
      const failure = failureOf(camera)
      await take(camera.frames(new AbortController().signal), 1)
      await harness.die()
      expect(await failure).toMatchObject({ code: 'CAMERA_FAILED' })
      expect(await failureOf(camera)).toMatchObject({ code: 'CAMERA_FAILED' })
      await harness.revive()
      expect(await take(camera.frames(new AbortController().signal), 2)).toHaveLength(2)
    })

    it('is brought back by its supervisor', async () => {
      harness = await make()
      const statuses: string[] = []
      const failed = deferred()
      const supervisor = new CameraSupervisor(
        {
          camera: open(),
          backoff: { delayMs: () => 5 },
          clock: systemClock,
          log: createLog({ name: 'test', level: 'silent' }),
        },
        {
          onStatus: () => {
            const { status } = supervisor.status()
            if (statuses.at(-1) !== status) statuses.push(status)
            if (status === 'failed') failed.resolve()
          },
        },
      )
      expect(supervisor.status()).toEqual({ camera: 'gate', status: 'starting', lastFrameAt: null })
      const stop = new AbortController()
      let count = 0
      for await (const frame of supervisor.frames(stop.signal)) {
        expect(supervisor.status().lastFrameAt).toBeGreaterThanOrEqual(frame.capturedAt)
        if (++count === 2) {
          await harness.die()
          void failed.promise.then(() => harness.revive())
        }
        if (statuses.includes('failed')) stop.abort()
      }
      expect(statuses).toEqual(['running', 'failed', 'running'])
      expect(supervisor.status().error).toBeUndefined()
    })
  })
}

describe.skipIf(!hasFfmpeg)('ffmpeg camera', () => {
  it('plays a film once when it is not to repeat', async () => {
    const film = await filmHarness()
    const camera = openCamera({ settings: settingsFor(film.source, { repeat: false }), clock: systemClock })
    const frames = await take(camera.frames(new AbortController().signal), 1000)
    // 0.4 s at 20 a second; ffmpeg's filter rounds the ends.
    expect(frames.length).toBeGreaterThanOrEqual(7)
    expect(frames.length).toBeLessThanOrEqual(10)
  })

  it('quotes ffmpeg when the file is none', async () => {
    const path = join(dir, 'no-film.mp4')
    await writeFile(path, 'this is not a film')
    const camera = openCamera({ settings: settingsFor(path), clock: systemClock })
    expect(await failureOf(camera)).toMatchObject({
      code: 'CAMERA_FAILED',
      message: expect.stringMatching(/Invalid data/),
    })
  })
})

describe('camera sources', () => {
  it('says how to get ffmpeg when it is missing', async () => {
    await mkdir(join(dir, 'none'), { recursive: true })
    const settings = settingsFor('rtsp://user:secret@127.0.0.1/live', {
      ffmpegPath: join(dir, 'none/ffmpeg'),
    })
    const camera = openCamera({ settings, clock: systemClock })
    const failure = (await failureOf(camera)) as Error & { remedy: string }
    expect(failure).toMatchObject({ code: 'FFMPEG_MISSING' })
    expect(failure.remedy).toMatch(/apt-get install ffmpeg/)
    expect(failure.message).not.toMatch(/secret/)
  })

  it('keeps credentials to itself and sends them as a header', async () => {
    let authorization: string | undefined
    const server = createServer((request, response) => {
      authorization = request.headers.authorization
      response.writeHead(401).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const source = `http://user:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}/`
    const camera = openCamera({ settings: settingsFor(source), clock: systemClock })
    expect(camera.source).not.toMatch(/p%40ss/)
    const failure = (await failureOf(camera)) as Error
    expect(failure).toMatchObject({ code: 'CAMERA_FAILED', message: expect.stringMatching(/401/) })
    expect(failure.message).not.toMatch(/p%40ss/)
    expect(authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
    server.close()
  })

  it.each(['ftp://host/film', 'exec:rm', '', 'http://'])('refuses %j', source => {
    const open = () => openCamera({ settings: settingsFor(source), clock: systemClock })
    expect(open).toThrow(expect.objectContaining({ code: 'CAMERA_BAD_SOURCE' }))
  })
})

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}
