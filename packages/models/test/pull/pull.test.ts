import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { verifyModel } from '@sightline/models/inspect/verify.js'
import type { PullProgress } from '@sightline/models/pull/progress.js'
import { pullModel } from '@sightline/models/pull/pull.js'
import type { RegistryEntry } from '@sightline/models/registry/schema.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closedPort, FileServer } from './file-server.ts'

import { IMAGE, PullSetup, TEXT } from './pull-setup.ts'

let setup: PullSetup

beforeEach(async () => {
  setup = await PullSetup.create()
})

afterEach(() => setup.destroy())

describe('pull', () => {
  it('fetches, verifies and describes a model', async () => {
    const result = await setup.pull(setup.pinnedEntry())
    expect(result).toMatchObject({ changed: true, trusted: [], dir: join(setup.dir, 'store', 'tiny') })
    expect(result.manifest.image).toMatchObject({ input: 'pixel_values', output: 'image_embeds', size: 32 })
    expect(result.manifest.text).toMatchObject({
      inputIds: 'input_ids',
      attentionMask: 'attention_mask',
      idType: 'int64',
    })
    expect((await readdir(result.dir, { recursive: true })).sort()).toEqual(
      ['manifest.json', 'onnx', TEXT, IMAGE, 'tokenizer.json', 'tokenizer_config.json'].sort(),
    )
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
  })

  it('does nothing when the model is there, and fetches only what was damaged', async () => {
    const { dir: target } = await setup.pull(setup.pinnedEntry())
    const before = setup.server.requests.length
    expect(await setup.pull(setup.pinnedEntry())).toMatchObject({ changed: false })
    expect(setup.server.requests.slice(before).filter(({ path }) => path !== '/index.json')).toEqual([])

    await writeFile(join(target, 'tokenizer.json'), 'damaged')
    expect(await setup.pull(setup.pinnedEntry())).toMatchObject({ changed: true })
    expect(setup.server.rangesOf('tokenizer.json')).toHaveLength(2)
    expect(setup.server.rangesOf(IMAGE)).toHaveLength(1)
    expect(await verifyModel(target)).toMatchObject({ ok: true })
  })

  it('resumes a part that an earlier process left', async () => {
    const part = join(setup.layout.stagingDir('tiny'), `${TEXT}.part`)
    await mkdir(dirname(part), { recursive: true })
    await writeFile(part, setup.files[TEXT]!.subarray(0, 100_000))
    await setup.pull(setup.pinnedEntry())
    expect(setup.server.rangesOf(TEXT)).toEqual(['bytes=100000-'])
  })

  it('starts over when what was resumed does not add up to the right hash', async () => {
    const part = join(setup.layout.stagingDir('tiny'), `${TEXT}.part`)
    await mkdir(dirname(part), { recursive: true })
    await writeFile(part, Buffer.alloc(100_000, 7))
    const result = await setup.pull(setup.pinnedEntry())
    expect(setup.server.rangesOf(TEXT)).toEqual(['bytes=100000-', undefined])
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
  })

  it('goes on after a connection that broke in the middle of a file', async () => {
    setup.behave({
      breakAfter: (path, attempt) => (path === TEXT && attempt < 3 ? 50_000 : undefined),
      beforeBreak: setup.written,
    })
    const result = await setup.pull(setup.pinnedEntry())
    expect(setup.server.rangesOf(TEXT)).toEqual([undefined, 'bytes=50000-', 'bytes=100000-', 'bytes=150000-'])
    expect(setup.delays).toHaveLength(3)
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
  })

  it('restarts where the setup.server has no ranges', async () => {
    setup.behave({
      ranges: false,
      breakAfter: (path, attempt) => (path === TEXT && attempt === 0 ? 50_000 : undefined),
    })
    const result = await setup.pull(setup.pinnedEntry())
    expect(setup.server.rangesOf(TEXT)).toHaveLength(2)
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
  })

  it('gives up on a setup.server that breaks off at the same place each time, keeping what it got', async () => {
    setup.behave({
      ranges: false,
      breakAfter: path => (path === TEXT ? 50_000 : undefined),
      beforeBreak: setup.written,
    })
    await expect(setup.pull(setup.pinnedEntry())).rejects.toMatchObject({ code: 'MODEL_PULL_FAILED' })
    expect(setup.delays).toHaveLength(6)
    expect(existsSync(setup.layout.modelDir('tiny'))).toBe(false)
    setup.behave({})
    expect(await setup.pull(setup.pinnedEntry())).toMatchObject({ changed: true })
    expect(setup.server.rangesOf(TEXT).at(-1)).toMatch(/^bytes=\d+-$/)
  })

  it('retries 503 after the time that the setup.server asked for, and not 404', async () => {
    setup.behave({
      intercept: (_, response, attempt) => {
        if (attempt > 0) return false
        response.writeHead(503, { 'retry-after': '7' }).end()
        return true
      },
    })
    await setup.pull(setup.pinnedEntry())
    // index.json and four setup.files.
    expect(setup.delays).toEqual([7000, 7000, 7000, 7000, 7000])

    setup.server.files = { ...setup.files }
    delete setup.server.files[TEXT]
    setup.behave({})
    const other = { ...setup.pinnedEntry(), name: 'other' }
    await expect(setup.pull(other)).rejects.toMatchObject({
      code: 'MODEL_PULL_FAILED',
      message: expect.stringContaining('404'),
    })
  })

  it('counts a silent connection as broken', async () => {
    setup.behave({ stallAfter: (path, attempt) => (path === TEXT && attempt === 0 ? 50_000 : undefined) })
    const result = await setup.pull(setup.pinnedEntry(), { idleMs: 200 })
    expect(setup.server.rangesOf(TEXT)).toHaveLength(2)
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
  })

  it('says what happened when nobody answers', async () => {
    const mirror = `http://127.0.0.1:${await closedPort()}`
    await expect(setup.pull(setup.pinnedEntry(), { mirror })).rejects.toMatchObject({
      code: 'MODEL_PULL_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  it('follows redirects, but neither endless ones nor ones to another protocol', async () => {
    const target = await new FileServer(setup.files).start()
    setup.behave({
      intercept: (request, response) => {
        response.writeHead(302, { location: `${target.url}${request.url}` }).end()
        return true
      },
    })
    await setup.pull(setup.pinnedEntry())
    expect(target.rangesOf(IMAGE)).toHaveLength(1)
    await target.stop()

    const again = { ...setup.pinnedEntry(), name: 'again' }
    setup.behave({
      intercept: (request, response) => {
        response.writeHead(302, { location: request.url! }).end()
        return true
      },
    })
    await expect(setup.pull(again)).rejects.toMatchObject({
      message: expect.stringContaining('redirects'),
    })
    setup.behave({
      intercept: (_, response) => {
        response.writeHead(302, { location: 'file:///etc/passwd' }).end()
        return true
      },
    })
    await expect(setup.pull(again)).rejects.toMatchObject({ code: 'MODEL_SOURCE_REFUSED' })
  })

  it('refuses mirrors that are no plain http or https URL', async () => {
    for (const mirror of [
      'ftp://127.0.0.1/',
      'not a url',
      'https://user:secret@127.0.0.1/',
      'https://127.0.0.1/?a=b',
    ]) {
      await expect(setup.pull(setup.pinnedEntry(), { mirror })).rejects.toMatchObject({
        code: 'MODEL_SOURCE_REFUSED',
      })
    }
  })

  it('asks a mirror for the paths of the Hugging Face endpoint', async () => {
    const urls: string[] = []
    setup.behave({
      intercept: request => {
        urls.push(request.url!)
        return false
      },
    })
    await setup.pull(setup.pinnedEntry(), { mirror: `${setup.server.url}/hf` })
    expect(urls).toContain(`/hf/test/tiny/resolve/main/${IMAGE}`)
  })

  it('takes the setup.files from a folder instead of the network', async () => {
    for (const home of ['tiny', 'test/tiny', '.']) {
      const offline = join(setup.dir, 'stick', home.replaceAll('/', '-'))
      for (const [path, content] of Object.entries(setup.files)) {
        const file = join(offline, home, path)
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, content)
      }
      const entry = setup.pinnedEntry()
      const { mirror: _, ...rest } = setup.request(entry)
      const own = new StoreLayout(join(setup.dir, `store-${home.replaceAll('/', '-')}`))
      expect(await pullModel({ ...rest, layout: own, offline })).toMatchObject({ changed: true })
    }
    expect(setup.server.requests).toEqual([])
    await expect(
      pullModel({
        ...setup.request(setup.pinnedEntry()),
        mirror: undefined,
        offline: join(setup.dir, 'nothing'),
      }),
    ).rejects.toMatchObject({ code: 'MODEL_PULL_FAILED' })
  })

  it('excludes a second pull of the same model, not of another', async () => {
    let release = () => {}
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    let entered = () => {}
    const inside = new Promise<void>(resolve => {
      entered = resolve
    })
    setup.behave({
      intercept: (incoming, response) => {
        if (!incoming.url!.includes('/test/tiny/') || !incoming.url!.endsWith(IMAGE)) return false
        entered()
        void gate.then(() => response.end(setup.files[IMAGE]))
        return true
      },
    })
    const first = setup.pull(setup.pinnedEntry())
    await inside
    await expect(setup.pull(setup.pinnedEntry())).rejects.toMatchObject({ code: 'MODEL_PULL_BUSY' })
    const other = setup.pinnedEntry()
    const apart = {
      ...other,
      name: 'other',
      source: { ...other.source, repo: 'test/other' } as RegistryEntry['source'],
    }
    expect(await setup.pull(apart)).toMatchObject({ changed: true })
    release()
    expect(await first).toMatchObject({ changed: true })
  })

  it('puts the old model back after a crash between two renames', async () => {
    const { dir: target } = await setup.pull(setup.pinnedEntry())
    const retired = setup.layout.retiredDir('tiny')
    await mkdir(dirname(retired), { recursive: true })
    await rename(target, retired)
    const before = setup.server.requests.length
    expect(await setup.pull(setup.pinnedEntry())).toMatchObject({ changed: false })
    expect(setup.server.requests.slice(before).map(({ path }) => path)).toEqual(['/index.json'])
  })

  it('stops when asked to, and goes on later', async () => {
    const stop = new AbortController()
    const progress: PullProgress = {
      file: path => path === TEXT && stop.abort(new DOMException('enough', 'AbortError')),
      bytes: () => undefined,
      note: () => undefined,
      end: () => undefined,
    }
    await expect(setup.pull(setup.pinnedEntry(), { signal: stop.signal, progress })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expect(await setup.pull(setup.pinnedEntry())).toMatchObject({ changed: true })
  })

  it('knows no model of another name', async () => {
    await expect(pullModel({ ...setup.request(setup.pinnedEntry()), name: 'nothing' })).rejects.toMatchObject(
      {
        code: 'MODEL_UNKNOWN',
      },
    )
    await expect(pullModel({ ...setup.request(setup.pinnedEntry()), name: '../evil' })).rejects.toMatchObject(
      {
        code: 'MODEL_UNKNOWN',
      },
    )
  })
})
