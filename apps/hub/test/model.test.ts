import { copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { probeProviders } from '@sightline/core/clip/providers.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ROOT } from '../../../test/support/processes.ts'
import { runningHub } from './support/running-hub.ts'

const MODEL = join(ROOT, 'models/quantized/sightline-mini')
let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hub-model-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function hub(model: object) {
  return runningHub(join(dir, 'data'), { model })
}

describe('the model of a hub', () => {
  test('passes the canary, and what was found out is kept in the data directory', async () => {
    const opened = await hub({})
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
