import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@sightline/core'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { RuleModels } from '@sightline/hub/rules/rule-models.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MODEL_DIR } from '../../../../test/support/processes.ts'

const log = createLog({ name: 'test', level: 'silent' })
const fingerprint = modelFingerprint(await readManifest(MODEL_DIR))

let storeDir = ''
beforeEach(async () => {
  storeDir = await mkdtemp(join(tmpdir(), 'models-'))
})
afterEach(() => rm(storeDir, { recursive: true }))

describe('RuleModels', () => {
  it('opens a model of the store for as long as it is used, its text tower alone', async () => {
    await symlink(MODEL_DIR, join(storeDir, 'sightline-mini'))
    const models = new RuleModels({ storeDir, log })
    const used = await models.use(fingerprint, false, async model => {
      expect([model.fingerprint, model.dim]).toEqual([fingerprint, 512])
      expect(model.encodeImages).toBeUndefined()
      return { model, vectors: await model.encodeTexts(['a cat']) }
    })
    expect(used.vectors[0]).toHaveLength(512)
    await expect(used.model.encodeTexts(['a dog'])).rejects.toMatchObject({ code: 'MODEL_FAILED' })
  })

  it('knows the models beside the store, too', async () => {
    const models = new RuleModels({ storeDir, modelDirs: ['/nowhere', MODEL_DIR], log })
    expect(await models.use(fingerprint, false, async model => model.manifest.name)).toBe('sightline-mini')
  })

  it('says what to pull when there is none', async () => {
    const models = new RuleModels({ storeDir, log })
    await expect(models.use('clip-vit-b32:0123456789ab', false, async () => 1)).rejects.toMatchObject({
      code: 'RULES_MODEL_MISSING',
      message: expect.stringContaining(`sightline-models pull clip-vit-b32 --store ${storeDir}`),
    })
  })
})
