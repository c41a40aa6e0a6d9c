import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fault, type Rule } from '@sightline/core'
import { parseYaml } from '@sightline/core/yaml.js'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { validateRules } from './validate.ts'

const PACKS_DIR = fileURLToPath(new URL('../../rule-packs/', import.meta.url))

const PackFile = Type.Object(
  {
    title: Type.String(),
    description: Type.String(),
    /** What the rules can and cannot do. */
    notes: Type.Array(Type.String()),
    /** What every rule of the pack says unless it says otherwise. */
    defaults: Type.Record(Type.String(), Type.Unknown()),
    rules: Type.Array(
      Type.Object(
        { note: Type.String({ description: 'What to expect of the rule.' }) },
        { additionalProperties: true },
      ),
    ),
  },
  { additionalProperties: false },
)

export interface RulePack extends Omit<Static<typeof PackFile>, 'rules' | 'defaults'> {
  readonly name: string
  readonly rules: readonly { readonly rule: Rule; readonly note: string }[]
}

/** The packs that ship with the hub, by name. @throws RULES_INVALID naming the pack that is not as it should be */
export async function rulePacks(dir: string = PACKS_DIR): Promise<RulePack[]> {
  const files = (await readdir(dir)).filter(name => name.endsWith('.yaml')).sort()
  return Promise.all(
    files.map(async file =>
      readPack(file.slice(0, -'.yaml'.length), await readFile(join(dir, file), 'utf8')),
    ),
  )
}

function readPack(name: string, text: string): RulePack {
  const document = parseYaml(text)
  if (!Value.Check(PackFile, document)) throw fault('RULES_INVALID', `the rule pack ${name} is damaged`)
  const { defaults, rules: written, ...about } = document
  // A pack is an offer: what it adds is off until somebody has looked at it.
  const rules = validateRules(
    written.map(({ note: _, ...rule }) => ({ ...defaults, ...rule, enabled: false })),
  )
  return { ...about, name, rules: rules.map((rule, i) => ({ rule, note: written[i]!.note })) }
}
