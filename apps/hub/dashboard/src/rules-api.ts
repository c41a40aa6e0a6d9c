import type { ApiClient } from './api.ts'
import type { ReviewVerdict, Rule, RulesDocument } from './api-types.ts'

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
  readonly group: string
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

/** How often reviewers agreed with a rule. */
export interface RuleRecord {
  readonly rule: string
  readonly reviewed: number
  readonly confirmed: number
  /** What reviewers wrote of its incidents, newest first. */
  readonly notes: readonly {
    readonly incident: string
    readonly verdict: ReviewVerdict
    readonly note: string
    readonly at: string
  }[]
}

/** What would be said of rules that are not in force. */
export interface RulesCheck {
  readonly faults: readonly {
    readonly path: string
    readonly message: string
    readonly line?: number
    readonly column?: number
  }[]
  readonly warnings: RulesDocument['warnings']
  /** With their defaults; none when there are faults. */
  readonly rules: readonly Rule[]
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

export interface RuleTargets {
  /** Of the rules in force. */
  readonly version: number
  readonly targets: readonly RuleTarget[]
}

export function ruleTargets(api: ApiClient, signal: AbortSignal): Promise<RuleTargets> {
  return api.read('/rules/targets', signal)
}

export async function learnt(api: ApiClient, signal: AbortSignal): Promise<readonly Learnt[]> {
  return (await api.read<{ rules: readonly Learnt[] }>('/rules/learning', signal)).rules
}

export async function ruleRecords(api: ApiClient, signal: AbortSignal): Promise<readonly RuleRecord[]> {
  return (await api.read<{ records: readonly RuleRecord[] }>('/review/records', signal)).records
}

/** @throws ApiError RULES_INVALID, with the line in the message, when it is no YAML at all */
export function checkRules(api: ApiClient, yaml: string, signal: AbortSignal): Promise<RulesCheck> {
  return api.send('POST', '/rules/check', { body: yaml, type: 'application/yaml', signal })
}

export async function rulesVersion(
  api: ApiClient,
  version: number,
  signal: AbortSignal,
): Promise<readonly Rule[]> {
  return (await api.read<{ rules: readonly Rule[] }>(`/rules/versions/${version}`, signal)).rules
}

export const ALL_RULES_FILE = '/api/v1/rules?format=yaml'

export function ruleFile(id: string): string {
  return `/api/v1/rules/${encodeURIComponent(id)}?format=yaml`
}
