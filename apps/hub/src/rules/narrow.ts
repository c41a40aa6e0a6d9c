import type { CompiledRule, Rule, RuleBundle } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'

/** Devices that get the same rules, but for their model. */
export interface Audience {
  readonly site: string
  readonly group: string
}

/** Whether devices of this site and group get the rule. */
export function isFor({ sites, groups }: Pick<Rule, 'sites' | 'groups'>, { site, group }: Audience): boolean {
  return matchesCamera(sites, site) && matchesCamera(groups, group)
}

/** The bundle with only those of its rules, and their rows. */
export function narrowed(bundle: RuleBundle, wanted: (rule: CompiledRule) => boolean): RuleBundle {
  const rules = bundle.rules.filter(wanted)
  if (rules.length === bundle.rules.length) return bundle
  const rowBytes = bundle.dim * 4
  const places = new Map<number, number>()
  const placeOf = (row: number) => {
    const place = places.get(row) ?? places.size
    places.set(row, place)
    return place
  }
  const neutral = bundle.neutral.map(placeOf)
  const moved = rules.map(rule => ({
    ...rule,
    positives: rule.positives.map(placeOf),
    negatives: rule.negatives.map(placeOf),
    positiveExamples: rule.positiveExamples.map(placeOf),
    negativeExamples: rule.negativeExamples.map(placeOf),
    ...(rule.head === undefined ? {} : { head: { ...rule.head, row: placeOf(rule.head.row) } }),
  }))
  const vectors = new Uint8Array(places.size * rowBytes)
  for (const [row, place] of places)
    vectors.set(bundle.vectors.subarray(row * rowBytes, (row + 1) * rowBytes), place * rowBytes)
  return { ...bundle, rules: moved, neutral, vectors }
}
