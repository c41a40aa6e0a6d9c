import { copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, createLog, systemClock } from '@sightline/core'
import { probeProviders } from '@sightline/core/clip/providers.js'
import { createHub } from '@sightline/hub/hub.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ROOT } from '../../../test/support/processes.ts'

const MODEL = join(ROOT, 'models/quantized/sightline-mini')
let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hub-model-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function hub(model: object) {
  const document = { dataDir: join(dir, 'data'), http: { port: 0 }, mqtt: { port: 0 }, model }
  const settings = checkConfig(HubSettings, document, 'test')
  const log = createLog({ name: 'hub', level: 'silent' })
  return createHub({ settings, log, clock: systemClock, version: '9.9.9' })
}

describe('the model of a hub', () => {
  test('passes the canary, and what was found out is kept in the data directory', async () => {
    const opened = await hub({})
    await opened.start()
    await opened.stop()
    expect(await readdir(join(dir, 'data', 'model'))).toContain('providers.json')
  })

  test('a provider that is not there is an error, never another provider', async () => {
    const [report] = await probeProviders({ providers: ['tensorrt'], thorough: true })
    if (report!.available) return
    await expect(hub({ provider: 'tensorrt' })).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE' })
  })

  test('embeddings that are not the known ones are refused', async () => {
    const spoilt = join(dir, 'model')
    await cp(MODEL, spoilt, { recursive: true })
    await rm(join(spoilt, '.verified.json'), { force: true })
    const manifest = JSON.parse(await readFile(join(MODEL, 'manifest.json'), 'utf8'))
    const [disc, stripes] = manifest.canary.images
    manifest.canary.images = [stripes, disc]
    await writeFile(join(spoilt, 'manifest.json'), JSON.stringify(manifest))
    await expect(hub({ dir: spoilt })).rejects.toMatchObject({ code: 'PROVIDER_UNTRUSTED' })
  })

  test('a model without its text tower cannot serve a hub', async () => {
    const partial = join(dir, 'model')
    await cp(MODEL, partial, { recursive: true })
    await rm(join(partial, 'text.onnx'))
    await copyFile(join(MODEL, 'manifest.json'), join(partial, 'manifest.json'))
    await expect(hub({ dir: partial })).rejects.toMatchObject({ code: 'MODEL_MISSING' })
  })
})
