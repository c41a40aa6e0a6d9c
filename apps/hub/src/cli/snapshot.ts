import { resolve } from 'node:path'
import type { FailPoint } from '@sightline/core'
import type { Command } from 'commander'
import type { HubSettings } from '../settings.ts'
import { restoreSnapshot, type Snapshot, takeSnapshot } from '../store/snapshot.ts'
import { withNote } from '../store/snapshot-note.ts'

interface SnapshotCommands {
  readonly readSettings: (file: string | undefined) => Promise<HubSettings>
  readonly version: string
  /** For tests that crash a copy. */
  readonly snapshotPoint: () => FailPoint
}

/** `snapshot DIR` and `restore DIR`. */
export function addSnapshotCommands(
  program: Command,
  { readSettings, version, snapshotPoint }: SnapshotCommands,
): void {
  const dataDirOf = async (config: string | undefined) => resolve((await readSettings(config)).dataDir)
  program
    .command('snapshot')
    .description('copy the data directory, also while the hub runs')
    .argument('<dir>', 'where the copy is to lie; must not exist or be empty')
    .option('-c, --config <file>', 'YAML settings of the hub')
    .action(async (dir: string, { config }: { config?: string }) => {
      const dataDir = await dataDirOf(config)
      const failPoint = snapshotPoint()
      const snapshot = await withNote(dataDir, () =>
        takeSnapshot({ dataDir, dir: resolve(dir), version, failPoint }),
      )
      console.log(`${describe(snapshot)} copied to ${resolve(dir)}`)
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

function describe({ files }: Snapshot): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return `${files.length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB,`
}
