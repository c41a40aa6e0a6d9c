/**
 * Writes what docs repeat of the code: docs/errors.md, docs/configuration.md and docs/schema/*.json. With --check it
 * writes nothing and fails when a file is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ERRORS, ModelManifest, Rule } from '@sightline/core'
import { AGENT_ENVIRONMENT, AgentSettings } from '@sightline/edge-agent/settings.js'
import { RulesFile } from '@sightline/hub/rules/rule-file.js'
import { HUB_ENVIRONMENT, HubSettings } from '@sightline/hub/settings.js'

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly pattern?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

const DOCS = join(fileURLToPath(new URL('..', import.meta.url)), 'docs')

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, remedy }]) => `| \`${code}\` | ${status} | ${remedy} |`,
  )
  return `# Errors

Every failure that a user can meet has a stable code. HTTP answers carry it as \`{ "error": { "code", "message", "remedy" } }\`,
commands print it with the remedy and end with exit code 1, log lines have it as \`err.code\`. This page is generated from
\`packages/core/src/errors.ts\` (\`npm run docs:generate\`).

| code | HTTP status | what to do |
| --- | --- | --- |
${rows.join('\n')}
`
}

function configurationPage(): string {
  return `# Configuration

Both programs read one YAML file (\`--config FILE\`) and then the environment, which wins. Every setting has a default unless
it is marked required; unknown keys are faults; all faults are reported at once, by path. \`sightline-hub config check FILE\`
and \`sightline-agent config check FILE\` print the settings with defaults filled in; the JSON Schemas are in
[schema/](schema). This page is generated from the schemas (\`npm run docs:generate\`).

## Hub

${settingsTable(HubSettings as JsonSchema)}

${environmentTable(HUB_ENVIRONMENT)}

## Edge agent

${settingsTable(AgentSettings as JsonSchema)}

${environmentTable(AGENT_ENVIRONMENT)}
`
}

function settingsTable(schema: JsonSchema): string {
  const rows = settingRows(schema, '').map(row => `| ${row.join(' | ')} |`)
  return `| setting | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}`
}

function settingRows(schema: JsonSchema, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const path = prefix + key
    if (property.type === 'object' && property.properties !== undefined)
      return settingRows(property, `${path}.`)
    const required = (schema.required ?? []).includes(key) && property.default === undefined
    const fallback =
      property.default === undefined ? (required ? '**required**' : '') : code(property.default)
    const row = [`\`${path}\``, typeOf(property), fallback, cell(property.description ?? '')]
    const items = property.items?.properties === undefined ? [] : settingRows(property.items, `${path}[].`)
    return [row, ...items]
  })
}

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' \\| ')
  if (schema.const !== undefined) return code(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(code).join(' \\| ')
  if (schema.type === 'array')
    return `list of ${schema.items?.properties === undefined ? typeOf(schema.items ?? {}) : 'objects'}`
  const low = schema.minimum ?? schema.exclusiveMinimum
  const range =
    low === undefined && schema.maximum === undefined ? '' : `, ${low ?? ''}…${schema.maximum ?? ''}`
  return `${schema.type ?? 'any'}${range}`
}

function environmentTable(environment: Readonly<Record<string, string>>): string {
  const rows = Object.entries(environment).map(([name, path]) => `| \`${name}\` | \`${path}\` |`)
  return `| environment variable | setting |\n| --- | --- |\n${rows.join('\n')}`
}

function code(value: unknown): string {
  return `\`${cell(JSON.stringify(value))}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

const pages: Record<string, string> = {
  'errors.md': errorsPage(),
  'configuration.md': configurationPage(),
  'schema/hub.json': json(HubSettings),
  'schema/agent.json': json(AgentSettings),
  'schema/rule.json': json(Rule),
  'schema/rules.json': json(RulesFile),
  'schema/model-manifest.json': json(ModelManifest),
}

function json(schema: unknown): string {
  return `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...(schema as object) }, null, 2)}\n`
}

const check = process.argv.includes('--check')
const stale: string[] = []
for (const [name, text] of Object.entries(pages)) {
  const path = join(DOCS, name)
  if (check) {
    if (read(path) !== text) stale.push(`docs/${name}`)
  } else {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
}
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; run npm run docs:generate`)
  process.exit(1)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
