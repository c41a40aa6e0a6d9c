import type { Command } from 'commander'
import { askHub } from './hub-request.ts'

interface ForgetOptions {
  readonly hub: string
  readonly site?: string
  readonly node?: string
  readonly camera?: string
  readonly from?: string
  readonly to?: string
  readonly yes: boolean
  readonly json: boolean
}

interface Answer extends Readonly<Record<string, unknown>> {
  readonly snapshots: readonly {
    readonly dir: string
    readonly createdAt: string
    readonly keepUntil: string | null
    readonly found: boolean
  }[]
}

/** What people call the counts of the answer. */
const COUNTS = {
  frames: 'frames, with vectors and index entries',
  thumbnails: 'thumbnails',
  incidents: 'incidents',
  reviews: 'reviews',
  savedSearchHits: 'hits of saved searches',
  examples: 'examples of rules',
  commandResults: 'results of commands',
  quarantined: 'unreadable messages',
  nodes: 'devices',
} as const

/** `forget`, against a hub that runs: its index must forget, too. */
export function addForgetCommand(program: Command): void {
  program
    .command('forget')
    .description(
      'delete a site, device, camera or time range for good; without --yes only say what that would be',
    )
    .option('--hub <url>', 'address of the hub', 'http://127.0.0.1:8080')
    .option('--site <name>', 'of this site')
    .option('--node <name>', 'of this device')
    .option('--camera <name>', 'of this camera')
    .option('--from <time>', 'captured at or after (RFC 3339)')
    .option('--to <time>', 'captured before (RFC 3339)')
    .option('--yes', 'delete', false)
    .option('--json', 'print the answer as JSON', false)
    .action(forget)
}

async function forget({ hub, yes, json, ...filter }: ForgetOptions): Promise<void> {
  const query = new URLSearchParams({ ...filter, dryRun: String(!yes) })
  const answer = await askHub<Answer>(hub, `frames?${query}`, { method: 'DELETE' })
  if (json) return console.log(JSON.stringify(answer, null, 2))
  console.log(yes ? 'deleted:' : 'would be deleted (--yes does it):')
  for (const [name, words] of Object.entries(COUNTS))
    console.log(`${String(answer[name]).padStart(9)}  ${words}`)
  for (const { dir, createdAt, keepUntil, found } of answer.snapshots) {
    const until = keepUntil === null ? 'until it is removed' : `until ${keepUntil}`
    console.log(
      `may still be in the snapshot ${dir} of ${createdAt}, ${until}${found ? '' : ' (not found there now)'}`,
    )
  }
}
