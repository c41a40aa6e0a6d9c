import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '@sightline/core'
import { openCamera } from '@sightline/edge-agent/camera/open-camera.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CameraWorkshop, failureOf, hasFfmpeg, settingsFor, take } from '../support/camera-workshop.ts'

let workshop: CameraWorkshop
beforeAll(async () => {
  workshop = await CameraWorkshop.open()
})
afterAll(() => workshop.close())

describe.skipIf(!hasFfmpeg)('ffmpeg camera', () => {
  it('plays a film once when it is not to repeat', async () => {
    const film = await workshop.film()
    const camera = openCamera({ settings: settingsFor(film.source, { repeat: false }), clock: systemClock })
    const frames = await take(camera.frames(new AbortController().signal), 1000)
    // 0.4 s at 20 a second; ffmpeg's filter rounds the ends.
    expect(frames.length).toBeGreaterThanOrEqual(7)
    expect(frames.length).toBeLessThanOrEqual(10)
  })

  it('quotes ffmpeg when the file is none', async () => {
    const path = join(workshop.dir, 'no-film.mp4')
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
    await mkdir(join(workshop.dir, 'none'), { recursive: true })
    const settings = settingsFor('rtsp://user:secret@127.0.0.1/live', {
      ffmpegPath: join(workshop.dir, 'none/ffmpeg'),
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
