import { readFile, writeFile } from 'node:fs/promises'
import { fault, messageOf } from '@sightline/core'
import { Command } from 'commander'
import { readRulesFile } from '../rules/rule-file.ts'
import { fetchFromHub } from './hub-request.ts'

interface HubOption {
  readonly hub: string
}

interface Report {
  readonly faults?: readonly { readonly path: string; readonly message: string }[]
  readonly warnings: readonly { readonly rule: string; readonly message: string }[]
}

/** `sightline-hub rules …`: rules as files, against a hub that runs. */
export function rulesCommand(): Command {
  const command = new Command('rules').description('rules as YAML files, of a hub that runs')
  const sub = (name: string, about: string) =>
    command
      .command(name)
      .description(about)
      .option('--hub <url>', 'address of the hub', 'http://127.0.0.1:8080')
  sub('check', 'say what is wrong with a file, without changing anything; exit code 1 when something is')
    .argument('<file>', 'rules as YAML or JSON')
    .action(check)
  sub('export', 'write the rules in force as YAML')
    .option('-o, --out <file>', 'default: standard output')
    .action(exportRules)
  sub('import', 'replace all rules by those of a file; refused when it names a version that is not in force')
    .argument('<file>', 'rules as YAML or JSON')
    .option('--force', 'whatever version the file names')
    .action(importRules)
  return command
}

async function check(file: string, { hub }: HubOption): Promise<void> {
  const { rules } = await readFrom(file)
  const report = (await ask(hub, 'rules/check', 'POST', { rules })) as unknown as Report
  for (const { path, message } of report.faults ?? []) console.error(`${path}: ${message}`)
  tellWarnings(report)
  if ((report.faults ?? []).length > 0) process.exitCode = 1
  else console.log(`${rules.length} rules, no faults`)
}

async function exportRules({ hub, out }: HubOption & { out?: string }): Promise<void> {
  const text = await (await request(hub, 'rules?format=yaml', {})).text()
  if (out === undefined) process.stdout.write(text)
  else await writeFile(out, text)
}

async function importRules(file: string, { hub, force }: HubOption & { force?: boolean }): Promise<void> {
  const { rules, version } = await readFrom(file)
  const body = force === true || version === undefined ? { rules } : { rules, version }
  const answer = await ask(hub, 'rules', 'PUT', body)
  tellWarnings(answer as unknown as Report)
  console.log(`version ${answer.version}: ${(answer.rules as unknown[]).length} rules in force`)
}

function tellWarnings({ warnings }: Report): void {
  for (const { rule, message } of warnings) console.error(`warning: ${rule}: ${message}`)
}

async function readFrom(file: string) {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw fault('CONFIG_UNREADABLE', `${file}: ${messageOf(cause)}`, { cause })
  }
  return readRulesFile(text)
}

async function ask(
  hub: string,
  path: string,
  method: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' }
  const response = await request(hub, path, { method, headers, body: JSON.stringify(body) })
  return (await response.json()) as Record<string, unknown>
}

/** @throws HUB_UNREACHABLE, or what the hub answers, in its own words */
async function request(hub: string, path: string, init: RequestInit): Promise<Response> {
  const response = await fetchFromHub(hub, path, init)
  if (response.ok) return response
  const { error } = (await response.json().catch(() => ({}))) as { error?: { code: string; message: string } }
  throw fault(
    response.status === 409 ? 'RULES_CONFLICT' : 'RULES_INVALID',
    error === undefined ? `the hub answers ${response.status}` : `${error.code}\n${error.message}`,
  )
}
