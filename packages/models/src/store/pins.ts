import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fault } from '@sightline/core/errors.js'
import { conforms, faultLines, schemaFaults } from '@sightline/core/schema.js'
import { type Static, Type } from 'typebox'
import { SAFE_PATH } from '../registry/schema.ts'
import { errnoOf, writeFileAtomic } from './atomic-file.ts'
import type { StoreLayout } from './paths.ts'

/** `.pins/NAME.json`: what the files of a model were when they were first pulled. Outlives the model directory. */
export const Pins = Type.Object(
  {
    schema: Type.Literal(1),
    source: Type.String({ description: 'Pins hold for this source only: see `sourceId`.' }),
    revision: Type.Union([Type.String(), Type.Null()], {
      description: 'Commit that a branch pointed to, when the server told.',
    }),
    pinnedAt: Type.String({ description: 'ISO 8601.' }),
    files: Type.Record(
      Type.String({ pattern: SAFE_PATH }),
      Type.Object(
        { bytes: Type.Integer({ minimum: 0 }), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type Pins = Static<typeof Pins>

/** Undefined when the model was never pulled. @throws MODEL_STORE_FAILED when the file is damaged: silence would drop the trust. */
export async function readPins(layout: StoreLayout, name: string): Promise<Pins | undefined> {
  const path = layout.pinFile(name)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw fault('MODEL_STORE_FAILED', `cannot read ${path}`, { cause })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw fault('MODEL_STORE_FAILED', `${path} is damaged; pull again with --repin`, { cause })
  }
  if (conforms(Pins, value)) return value
  throw fault(
    'MODEL_STORE_FAILED',
    `${path} is damaged; pull again with --repin:\n${faultLines(schemaFaults(Pins, value))}`,
  )
}

/** @throws DISK_FULL, MODEL_STORE_FAILED */
export async function writePins(layout: StoreLayout, name: string, pins: Pins): Promise<void> {
  const path = layout.pinFile(name)
  await mkdir(dirname(path), { recursive: true })
  await writeFileAtomic(path, `${JSON.stringify(pins, null, 2)}\n`)
}
