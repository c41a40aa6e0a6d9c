import { l2Normalize, type RuleBundle, vectorToBytes } from '@sightline/core'
import { type CompiledRules, compiledRules } from '@sightline/hub/moderation/compiled-rules.js'
import { compileRules } from '@sightline/hub/rules/compile.js'
import { validateRules } from '@sightline/hub/rules/validate.js'

export const DIM = 16
export const FINGERPRINT = 'test:000000000000'

/** Words on axes: a text that starts with `axis:N` lies on axis N, everything else on the last. */
export const axisModel = {
  manifest: { logitScale: 20 } as never,
  fingerprint: FINGERPRINT,
  dim: DIM,
  encodeTexts: async (texts: readonly string[]) => texts.map(text => axis(axisOf(text))),
}

export function axis(at: number): Float32Array {
  const vector = new Float32Array(DIM)
  vector[at] = 1
  return vector
}

/** A unit vector with these shares of the axes. */
export function mix(shares: Readonly<Record<number, number>>): Float32Array {
  const vector = new Float32Array(DIM)
  for (const [at, share] of Object.entries(shares)) vector[Number(at)] = share
  return l2Normalize(vector)
}

export async function compiledFor(rules: readonly Record<string, unknown>[]): Promise<CompiledRules> {
  const document = { version: 7, updatedAt: 1, rules: validateRules(rules) }
  return compiledRules(document, await compileRules(document, axisModel))
}

export function bundleOf({ bundle }: CompiledRules): RuleBundle {
  return { ...bundle, vectors: vectorToBytes(new Float32Array(new Uint8Array(bundle.vectors).buffer)) }
}

function axisOf(text: string): number {
  return Number(/axis:(\d+)/.exec(text)?.[1] ?? DIM - 1)
}
