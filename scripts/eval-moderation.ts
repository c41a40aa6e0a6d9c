/**
 * What each step from a raw cosine to a calibrated score gains, on labelled photos and simulated cameras.
 *
 *   SIGHTLINE_TEST_DATA=DIR npm run eval:moderation [-- --model DIR] [--cache DIR] [--write]
 *
 * --write puts the tables between the markers of docs/moderation.md. --cache keeps the photos' vectors for the next run.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadModel } from '@sightline/core'
import { compileRules } from '@sightline/hub/rules/compile.js'
import { validateRules } from '@sightline/hub/rules/validate.js'
import { evaluate, evaluateFewShot } from './eval-moderation/evaluate.ts'
import { labelledPhotos } from './eval-moderation/photos.ts'
import { TASKS } from './eval-moderation/tasks.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = join(ROOT, 'docs/moderation.md')
const markers = (name: string) => new RegExp(`(<!-- ${name}:begin -->\\n)[\\s\\S]*(<!-- ${name}:end -->)`)

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(ROOT, 'models/quantized/sightline-mini') },
    cache: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const dataDir = process.env.SIGHTLINE_TEST_DATA
if (!dataDir) {
  console.error('SIGHTLINE_TEST_DATA must name the folder that holds photos/')
  process.exit(2)
}
const cacheDir = values.cache ?? mkdtempSync(join(tmpdir(), 'sightline-eval-'))
const model = await loadModel({ dir: values.model, maxQueued: 1e6 })
try {
  const photos = await labelledPhotos({
    model,
    photosDir: join(dataDir, 'photos'),
    cacheDir,
    onProgress: line => console.error(line),
  })
  const rules = validateRules(
    TASKS.map(({ id, positives, negatives }) => ({ id, name: id, positives, negatives })),
  )
  const bundle = await compileRules({ version: 1, updatedAt: 1, rules }, model)
  const reports = { 'few-shot': evaluateFewShot(photos, bundle), eval: evaluate(photos, bundle) }
  for (const [name, report] of Object.entries(reports)) {
    console.log(`${report}\n`)
    if (!values.write) continue
    const page = readFileSync(PAGE, 'utf8')
    writeFileSync(
      PAGE,
      page.replace(markers(name), (_, begin, end) => `${begin}\n${report}\n\n${end}`),
    )
  }
} finally {
  await model.close()
  if (values.cache === undefined) rmSync(cacheDir, { recursive: true, force: true })
}
