import { join, resolve } from 'node:path'
import { createLog } from '@sightline/core'
import type { Command } from 'commander'
import type { HubSettings } from '../settings.ts'
import type { IndexReader } from '../verify/index-content.ts'
import { segmentReader } from '../verify/segment-content.ts'
import { type VerifyReport, verifyData } from '../verify/verify-store.ts'

/** `verify`: exit code 1 when something is wrong. */
export function addVerifyCommand(
  program: Command,
  { readSettings }: { readonly readSettings: (file: string | undefined) => Promise<HubSettings> },
): void {
  program
    .command('verify')
    .description('check vectors, tables, thumbnails and the index, here or in PostgreSQL; changes nothing')
    .option('-c, --config <file>', 'YAML settings of the hub')
    .option('--json', 'print the report as JSON')
    .action(async ({ config, json }: { config?: string; json?: boolean }) => {
      const settings = await readSettings(config)
      const dataDir = resolve(settings.dataDir)
      const report = await verifyData(dataDir, await indexReader(settings.index, dataDir))
      console.log(json === true ? JSON.stringify(report, null, 2) : describe(report))
      if (!report.ok) process.exitCode = 1
    })
}

/** @throws CONFIG_INVALID without a URL of the server */
async function indexReader(index: HubSettings['index'], dataDir: string): Promise<IndexReader> {
  if (index.kind === 'segments') return segmentReader(join(dataDir, 'index'))
  // Only here: most hubs have no PostgreSQL.
  const { postgresPools } = await import('../index/pgvector/connect.ts')
  const { postgresReader } = await import('../verify/postgres-content.ts')
  const log = createLog({ name: 'verify', level: 'silent' })
  return postgresReader(postgresPools(index.postgres, log), index.postgres.schema)
}

const NOT_SOUND = {
  segments: 'not sound: restore a snapshot, or delete the index directory if the index alone is damaged',
  postgres:
    'not sound: restore a snapshot, or drop the schema if the index alone is damaged; the hub fills it again',
} as const

function describe({ ok, frames, thumbnails, fingerprints, norms, index, faults }: VerifyReport): string {
  const { kind, segments, sealed, deleted } = index
  const parts = kind === 'segments' ? 'segments' : 'graphs in PostgreSQL'
  return [
    `frames      ${frames}, ${thumbnails} with a thumbnail`,
    ...Object.entries(fingerprints).map(([name, count]) => `model       ${name}: ${count} frames`),
    ...(norms === null ? [] : [`norms       ${norms.min.toFixed(6)} to ${norms.max.toFixed(6)}`]),
    `index       ${segments} ${parts}, ${sealed} vectors, ${deleted} of deleted frames`,
    ...faults.map(({ kind, count, examples }) => `FAULT       ${kind}: ${count} (${examples.join(', ')})`),
    ok ? 'sound' : NOT_SOUND[kind],
  ].join('\n')
}
