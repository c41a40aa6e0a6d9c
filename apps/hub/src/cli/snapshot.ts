import { resolve } from 'node:path'
import { type FailPoint, fault, messageOf } from '@sightline/core'
import type { Command } from 'commander'
import type { HubSettings } from '../settings.ts'
import { restoreSnapshot, type Snapshot, takeSnapshot } from '../store/snapshot.ts'
import type { FoundSnapshot } from '../store/snapshot-ledger.ts'
import { withNote } from '../store/snapshot-note.ts'
import { withLedger } from './with-ledger.ts'

const CONFIG_OPTION = ['-c, --config <file>', 'YAML settings of the hub'] as const
const MAX_KEEP_DAYS = 36_500

interface SnapshotCommands {
  readonly readSettings: (file: string | undefined) => Promise<HubSettings>
  readonly version: string
  /** For tests that crash a copy. */
  readonly snapshotPoint: () => FailPoint
}

const DAY_MS = 86_400_000

/** `snapshot DIR`, `restore DIR` and `snapshots`. */
export function addSnapshotCommands(
  program: Command,
  { readSettings, version, snapshotPoint }: SnapshotCommands,
): void {
  const dataDirOf = async (config: string | undefined) => resolve((await readSettings(config)).dataDir)
  program
    .command('snapshot')
    .description('copy the data directory, also while the hub runs')
    .argument('<dir>', 'where the copy is to lie; must not exist or be empty')
    .option('--keep <days>', 'after so many days `snapshots prune` may remove it; default: never')
    .option(...CONFIG_OPTION)
    .action(async (dir: string, { config, keep }: { config?: string; keep?: string }) => {
      const days = keep === undefined ? undefined : Number(keep)
      if (days !== undefined && !(days > 0 && days <= MAX_KEEP_DAYS))
        throw fault('API_BAD_REQUEST', `--keep ${keep}: say a number of days up to ${MAX_KEEP_DAYS}`)
      const settings = await readSettings(config)
      const dataDir = resolve(settings.dataDir)
      const failPoint = snapshotPoint()
      const snapshot = await withNote(dataDir, () =>
        takeSnapshot({ dataDir, dir: resolve(dir), version, failPoint }),
      )
      console.log(`${describe(snapshot)} copied to ${resolve(dir)}`)
      const known = {
        dir: resolve(dir),
        createdAt: snapshot.createdAt,
        keepUntil: days === undefined ? null : Date.parse(snapshot.createdAt) + days * DAY_MS,
        bytes: bytesOf(snapshot),
      }
      // The snapshot is good all the same, on a full disk above all.
      await withLedger(settings, ledger => ledger.add(known)).catch(error =>
        console.error(`the hub will not know of it when something is deleted: ${messageOf(error)}`),
      )
    })
  const snapshots = program
    .command('snapshots')
    .description('snapshots that were made of this data directory')
  snapshots
    .command('list')
    .description('list them, newest first')
    .option('--json', 'as JSON', false)
    .option(...CONFIG_OPTION)
    .action(async ({ config, json }: { config?: string; json: boolean }) => {
      const known = await withLedger(await readSettings(config), async ledger => ledger.list())
      if (json) return console.log(JSON.stringify(known, null, 2))
      if (known.length === 0) console.log('no snapshots: sightline-hub snapshot makes one')
      for (const snapshot of known) console.log(lineOf(snapshot))
    })
  snapshots
    .command('prune')
    .description('remove those whose time (--keep) is over')
    .option(...CONFIG_OPTION)
    .action(async ({ config }: { config?: string }) => {
      const removed = await withLedger(await readSettings(config), ledger => ledger.prune(Date.now()))
      for (const { dir, createdAt } of removed) console.log(`${dir} of ${createdAt} removed`)
      console.log(`${removed.length} snapshots removed`)
    })
  program
    .command('restore')
    .description('verify a snapshot and put it in the place of the data directory')
    .argument('<dir>', 'a snapshot')
    .option('-c, --config <file>', 'YAML settings of the hub')
    .option('--force', 'replace what is there, even under a running hub', false)
    .action(async (dir: string, { config, force }: { config?: string; force: boolean }) => {
      const dataDir = await dataDirOf(config)
      const snapshot = await restoreSnapshot({
        dataDir,
        dir: resolve(dir),
        force,
        failPoint: snapshotPoint(),
      })
      console.log(`${describe(snapshot)} of ${snapshot.createdAt} restored to ${dataDir}`)
    })
}

function describe(snapshot: Snapshot): string {
  return `${snapshot.files.length} files, ${mebibytes(bytesOf(snapshot))},`
}

function bytesOf({ files }: Snapshot): number {
  return files.reduce((sum, file) => sum + file.bytes, 0)
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

function lineOf({ dir, createdAt, keepUntil, bytes, found }: FoundSnapshot): string {
  const until = keepUntil === null ? 'kept' : `kept until ${new Date(keepUntil).toISOString()}`
  return `${createdAt}  ${mebibytes(bytes)}  ${until}  ${dir}${found ? '' : '  not found'}`
}
