import type { ApiClient } from './api.ts'
import type { Rule, RulesDocument } from './api-types.ts'

/** What the hub knows of rules beside the rules themselves; times are RFC 3339 strings. */

export interface RulePack {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly notes: readonly string[]
  readonly rules: readonly { readonly rule: Rule; readonly note: string; readonly added: boolean }[]
}

export interface RuleChange {
  readonly version: number
  readonly at: string
  readonly actor: string
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  /** The version that was restored. */
  readonly restored: number | null
}

export interface RuleTarget {
  readonly site: string
  /** Of the rules that were last sent there. */
  readonly version: number | null
  readonly devices: readonly {
    readonly node: string
    readonly online: boolean
    readonly rulesVersion: number
    readonly rulesError: string | null
  }[]
  readonly warning: { readonly code: string; readonly message: string; readonly remedy: string } | null
}

export interface Learnt {
  readonly rule: string
  readonly labels: number
  readonly positives: number
  readonly calibration: 'platt' | 'isotonic' | null
  readonly head: boolean
  /** Expected calibration error; null where nothing was learnt. */
  readonly eceBefore: number | null
  readonly eceAfter: number | null
}

export async function rulePacks(api: ApiClient, signal: AbortSignal): Promise<readonly RulePack[]> {
  return (await api.read<{ packs: readonly RulePack[] }>('/rule-packs', signal)).packs
}

export function addPack(
  api: ApiClient,
  name: string,
): Promise<{ readonly added: readonly string[]; readonly skipped: readonly string[] }> {
  return api.write('POST', `/rule-packs/${encodeURIComponent(name)}/add`, {})
}

export async function ruleHistory(api: ApiClient, signal: AbortSignal): Promise<readonly RuleChange[]> {
  return (await api.read<{ changes: readonly RuleChange[] }>('/rules/history', signal)).changes
}

export function restoreRules(api: ApiClient, version: number): Promise<RulesDocument> {
  return api.write('POST', `/rules/versions/${version}/restore`, {})
}

export async function ruleTargets(api: ApiClient, signal: AbortSignal): Promise<readonly RuleTarget[]> {
  return (await api.read<{ targets: readonly RuleTarget[] }>('/rules/targets', signal)).targets
}

export async function learnt(api: ApiClient, signal: AbortSignal): Promise<readonly Learnt[]> {
  return (await api.read<{ rules: readonly Learnt[] }>('/rules/learning', signal)).rules
}
