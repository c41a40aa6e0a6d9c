import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { HubSettings } from '../settings.ts'
import { type VerifyReport, verifyData } from '../verify/verify-store.ts'

/** `verify`: exit code 1 when something is wrong. */
export function addVerifyCommand(
  program: Command,
  { readSettings }: { readonly readSettings: (file: string | undefined) => Promise<HubSettings> },
): void {
  program
    .command('verify')
    .description('check vectors, tables, thumbnails and index files of the data directory; changes nothing')
    .option('-c, --config <file>', 'YAML settings of the hub')
    .option('--json', 'print the report as JSON')
    .action(async ({ config, json }: { config?: string; json?: boolean }) => {
      const report = await verifyData(resolve((await readSettings(config)).dataDir))
      console.log(json === true ? JSON.stringify(report, null, 2) : describe(report))
      if (!report.ok) process.exitCode = 1
    })
}

function describe({ ok, frames, thumbnails, fingerprints, norms, index, faults }: VerifyReport): string {
  return [
    `frames      ${frames}, ${thumbnails} with a thumbnail`,
    ...Object.entries(fingerprints).map(([name, count]) => `model       ${name}: ${count} frames`),
    ...(norms === null ? [] : [`norms       ${norms.min.toFixed(6)} to ${norms.max.toFixed(6)}`]),
    `index       ${index.segments} segments, ${index.sealed} vectors, ${index.deleted} of deleted frames`,
    ...faults.map(({ kind, count, examples }) => `FAULT       ${kind}: ${count} (${examples.join(', ')})`),
    ok
      ? 'sound'
      : 'not sound: restore a snapshot, or delete the index directory if the index alone is damaged',
  ].join('\n')
}
