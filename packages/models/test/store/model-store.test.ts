import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyModel } from '@sightline/models/inspect/verify.js'
import { pullModel } from '@sightline/models/pull/pull.js'
import { Registry } from '@sightline/models/registry/registry.js'
import { importModel } from '@sightline/models/store/import.js'
import { type ModelStoreFiles, modelStoreFiles } from '@sightline/models/store/model-store.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { externalOnnx, type Files, pinned, tinyEntry, tinyFiles, unpinned } from './tiny-models.ts'

let dir: string
let hub: StoreLayout
let files: Files
const servers: Server[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-store-'))
  files = tinyFiles()
  hub = new StoreLayout(join(dir, 'hub'))
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  await rm(dir, { recursive: true, force: true })
})

async function folder(name: string, content: Files): Promise<string> {
  for (const [path, bytes] of Object.entries(content)) {
    await mkdir(join(dir, name, path, '..'), { recursive: true })
    await writeFile(join(dir, name, path), bytes)
  }
  return join(dir, name)
}

async function fillHub(content = files, name = 'house'): Promise<void> {
  const export_ = await folder(`export-${name}`, content)
  await importModel({ dir: export_, name, layout: hub, contextLength: 16, reserveBytes: 0 })
}

/** As the hub's route does it: look up, honour one range, stream. */
async function serve(store: ModelStoreFiles): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url!.slice('/models/'.length))
    const found = await store.find(path)
    if (!found) {
      response.writeHead(404).end()
      return
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': found.contentType,
      'content-length': found.bytes - from,
      ...(found.sha256 ? { etag: `"${found.sha256}"` } : {}),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${found.bytes - 1}/${found.bytes}` } : {}),
    })
    if (found.path) createReadStream(found.path, { start: from }).pipe(response)
    else response.end(found.content)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/`
}

const device = () => new StoreLayout(join(dir, 'device'))

function pull(mirror: string, more: Partial<Parameters<typeof pullModel>[0]> = {}) {
  const base = { registry: new Registry([]), layout: device(), repin: false, reserveBytes: 0 }
  return pullModel({ ...base, name: 'house', mirror, ...more })
}

describe('a served model store', () => {
  it('gives a device the model that the hub has, under the same fingerprint', async () => {
    await fillHub()
    const store = modelStoreFiles(hub.root)
    const [listed] = (await store.list()).models
    const result = await pull(await serve(store))
    expect(result).toMatchObject({ changed: true, fingerprint: listed!.fingerprint, trusted: [] })
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
    expect(await readFile(join(result.dir, 'manifest.json'))).toEqual(
      await readFile(join(hub.modelDir('house'), 'manifest.json')),
    )
    expect(await pull(await serve(store))).toMatchObject({ changed: false })
  })

  it('resumes', async () => {
    await fillHub()
    const part = join(device().stagingDir('house'), 'text/text_model.onnx.part')
    await mkdir(join(part, '..'), { recursive: true })
    await writeFile(part, files['onnx/text_model.onnx']!.subarray(0, 400_000))
    expect(await pull(await serve(modelStoreFiles(hub.root)))).toMatchObject({ changed: true })
  })

  it('serves weight files that lie beside an ONNX file', async () => {
    const { onnx, data } = externalOnnx('weights.bin')
    await fillHub({ ...files, 'onnx/vision_model.onnx': onnx, 'onnx/weights.bin': data })
    const result = await pull(await serve(modelStoreFiles(hub.root)))
    expect(await readFile(join(result.dir, 'image/weights.bin'))).toEqual(data)
  })

  it('may not contradict what the registry pins', async () => {
    await fillHub()
    const other = { ...files, 'onnx/vision_model.onnx': Buffer.from('other') }
    const rename = (path: string) =>
      path.replace('onnx/vision', 'image/vision').replace('onnx/text', 'text/text')
    const entry = tinyEntry(path => pinned(path, other), { name: 'house' })
    entry.files.image.path = rename(entry.files.image.path)
    await expect(
      pull(await serve(modelStoreFiles(hub.root)), { registry: new Registry([entry]) }),
    ).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH', message: expect.stringContaining('registry') })
  })

  it('may not change a model under the same version', async () => {
    await fillHub()
    await pull(await serve(modelStoreFiles(hub.root)))
    await fillHub({ ...files, 'tokenizer.json': Buffer.from('{"other":1}') })
    const changed = await serve(modelStoreFiles(hub.root))
    await expect(pull(changed)).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH' })
    expect(await pull(changed, { repin: true })).toMatchObject({ changed: true })
  })

  it('says which models it has', async () => {
    await fillHub()
    await expect(pull(await serve(modelStoreFiles(hub.root)), { name: 'nothing' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
      message: expect.stringContaining('house'),
    })
  })

  it('can be carried on a stick', async () => {
    await fillHub()
    const { mirror: _, ...rest } = { mirror: '', registry: new Registry([]), layout: device(), repin: false }
    expect(await pullModel({ ...rest, name: 'house', offline: hub.root, reserveBytes: 0 })).toMatchObject({
      changed: true,
    })
  })

  it('finds what manifests name, and nothing else', async () => {
    await fillHub()
    const { find } = modelStoreFiles(hub.root)
    expect(await find('house/text/tokenizer.json')).toMatchObject({ bytes: files['tokenizer.json']!.length })
    expect(await find('house/manifest.json')).toMatchObject({ sha256: undefined })
    await writeFile(join(hub.modelDir('house'), 'notes.txt'), 'private')
    await writeFile(join(dir, 'secret'), 'secret')
    for (const path of [
      '',
      'house',
      'house/',
      'house/notes.txt',
      'house/image',
      'house/.verified.json',
      'house/../../secret',
      'house/image/../../../secret',
      '../secret',
      '/etc/passwd',
      'house//etc/passwd',
      '.pins/house.json',
      '.staging/house/manifest.json',
      'house/%2e%2e/secret',
      'house/text\\tokenizer.json',
      'house/text/tokenizer.json\0',
    ]) {
      expect(await find(path), path).toBeUndefined()
    }
  })

  it('serves neither a link nor a file that was changed', async () => {
    await fillHub()
    const { find } = modelStoreFiles(hub.root)
    const tokenizer = join(hub.modelDir('house'), 'text/tokenizer.json')
    await rm(tokenizer)
    await writeFile(join(dir, 'outside'), files['tokenizer.json']!)
    await symlink(join(dir, 'outside'), tokenizer)
    expect(await find('house/text/tokenizer.json')).toBeUndefined()
    await rm(tokenizer)
    await writeFile(tokenizer, 'longer than it was before, by some characters')
    expect(await find('house/text/tokenizer.json')).toBeUndefined()
  })

  it('leaves out what is no model', async () => {
    await fillHub()
    await mkdir(join(hub.root, 'empty'))
    await mkdir(join(hub.root, 'broken'))
    await writeFile(join(hub.root, 'broken', 'manifest.json'), '{')
    expect((await modelStoreFiles(hub.root).list()).models.map(({ name }) => name)).toEqual(['house'])
    expect((await modelStoreFiles(join(dir, 'nowhere')).list()).models).toEqual([])
  })

  it('cannot make a device write outside its store', async () => {
    await fillHub()
    const path = join(hub.modelDir('house'), 'manifest.json')
    const manifest = JSON.parse(await readFile(path, 'utf8'))
    for (const evil of ['image/../../../../evil', 'a/..', 'manifest.json']) {
      manifest.image.file.path = evil
      const text = JSON.stringify(manifest)
      const index = { ...(await modelStoreFiles(hub.root).list()) }
      const url = await serve({
        list: async () => index,
        find: async wanted => ({
          path: undefined,
          content: wanted === 'index.json' ? JSON.stringify(index) : text,
          bytes: wanted === 'index.json' ? Buffer.byteLength(JSON.stringify(index)) : Buffer.byteLength(text),
          sha256: undefined,
          contentType: 'application/json',
        }),
      })
      await expect(pull(url), evil).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    }
    expect(unpinned('x').sha256).toBe('unpinned')
  })
})
