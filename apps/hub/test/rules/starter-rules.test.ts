import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClipModel, loadModel } from '@sightline/core'
import { compileRules } from '@sightline/hub/rules/compile.js'
import { starterRules } from '@sightline/hub/rules/starter-rules.js'
import { cannotWarnings } from '@sightline/hub/rules/validate.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Judgement, judge } from '../../../../test/support/judge.ts'
import { ROOT } from '../../../../test/support/processes.ts'
import { samplePhotos } from '../../../../test/support/samples.ts'

const MODEL = join(ROOT, 'models/quantized/sightline-mini')
const present = existsSync(join(MODEL, 'manifest.json'))

/** Who deserves what; the other photos deserve nothing. */
const DESERVED: Readonly<Record<string, readonly string[]>> = {
  'cat-in-view': ['tabby-cat-face', 'cat-on-planks', 'calico-cat-in-alley'],
  'boat-on-the-water': [
    'rowing-boats-at-sunset',
    'fisherman-casting-net',
    'wooden-boat',
    'jetty-and-moored-boat',
    'old-harbour-with-boats',
  ],
  'coffee-or-tea': ['cup-of-espresso', 'espresso-machine', 'latte-on-table', 'teapot-and-green-tea'],
}
/** Kept between any score and the thresholds, so that a new build of the model does not tip a rule over. */
const MARGIN = 0.05

describe.skipIf(!present)(
  `starter rules on the sample frames${present ? '' : ` (skipped: no model in ${MODEL})`}`,
  () => {
    let model: ClipModel
    const judged = new Map<string, Judgement[]>()

    beforeAll(async () => {
      model = await loadModel({ dir: MODEL })
      const bundle = await compileRules({ version: 1, updatedAt: 0, rules: starterRules() }, model)
      const photos = await samplePhotos()
      const vectors = await model.encodeImages(await Promise.all(photos.map(photo => readFile(photo.path))))
      for (const [i, { subject }] of photos.entries()) judged.set(subject, judge(bundle, vectors[i]!))
    })
    afterAll(() => model.close())

    test.each(starterRules())(
      '$id fires where it should and nowhere else',
      ({ id, on, off, minSimilarity }) => {
        for (const [subject, judgements] of judged) {
          const { score, similarity, fires } = judgements.find(({ rule }) => rule === id)!
          const deserved = DESERVED[id]!.includes(subject)
          expect(fires, `${subject}: ${score}`).toBe(deserved)
          if (deserved) {
            expect(score, subject).toBeGreaterThan(on + MARGIN)
            expect(similarity, subject).toBeGreaterThan(minSimilarity + MARGIN)
          } else if (similarity > minSimilarity - MARGIN) {
            expect(score, subject).toBeLessThan(off - MARGIN)
          }
        }
      },
    )

    test('the model card names nothing of what they look for as beyond the model', () => {
      expect(cannotWarnings(starterRules(), model.manifest.cannot)).toEqual([])
      expect(judged.size).toBe(40)
    })
  },
)
