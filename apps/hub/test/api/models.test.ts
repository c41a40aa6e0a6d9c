import { createHash } from 'node:crypto'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { modelRoutes } from '@sightline/hub/api/routes/models.js'
import { pullModel } from '@sightline/models/pull/pull.js'
import { loadRegistry } from '@sightline/models/registry/registry.js'
import { modelStoreFiles } from '@sightline/models/store/model-store.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'

const EMBEDDED = fileURLToPath(new URL('../../../../models/quantized/sightline-mini/', import.meta.url))

let dir = ''
let app: FastifyInstance
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'models-'))
  await cp(EMBEDDED, join(dir, 'store/sightline-mini'), { recursive: true })
  app = Fastify()
  await app.register(modelRoutes, { models: modelStoreFiles(join(dir, 'store')), prefix: '/models' })
  await app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await app.close()
  await rm(dir, { recursive: true })
})

it('lists what it has, and serves whole files and the rest of broken downloads', async () => {
  const index = (await app.inject('/models/index.json')).json()
  expect(index.models.map((model: { name: string }) => model.name)).toEqual(['sightline-mini'])
  const { text } = await readManifest(EMBEDDED)
  const path = `/models/sightline-mini/${text.tokenizer.path}`
  const whole = await app.inject(path)
  expect(createHash('sha256').update(whole.rawPayload).digest('hex')).toBe(text.tokenizer.sha256)
  expect(whole.headers.etag).toBe(`"${text.tokenizer.sha256}"`)
  const rest = await app.inject({ url: path, headers: { range: 'bytes=1000-' } })
  expect(rest.statusCode).toBe(206)
  expect(rest.rawPayload.equals(whole.rawPayload.subarray(1000))).toBe(true)
  const beyond = await app.inject({ url: path, headers: { range: `bytes=${text.tokenizer.bytes}-` } })
  expect(beyond.statusCode).toBe(416)
})

it.each([
  '/models/sightline-mini/../../secret',
  '/models/%2e%2e/x',
  '/models/nothing/manifest.json',
  '/models/',
])('has no %s', async url => expect((await app.inject(url)).statusCode).toBeGreaterThanOrEqual(400))

it('feeds a device that pulls from it', async () => {
  const { port } = app.server.address() as { port: number }
  const layout = new StoreLayout(join(dir, 'device'))
  const registry = await loadRegistry()
  const pulled = await pullModel({
    name: 'sightline-mini',
    registry,
    layout,
    mirror: `http://127.0.0.1:${port}/models`,
    repin: false,
  })
  expect(pulled.manifest).toEqual(await readManifest(EMBEDDED))
})
