import type { Command, CommandReply, DesiredConfig, ReportedConfig } from '@sightline/core'
import type { Database } from 'lmdb'
import type { StoreEnvironment } from '../store/lmdb-store.ts'

/** Settings that somebody wrote, for a device or for all devices of a site. */
export interface ConfigDocument {
  /** Grows by one with every change; a change names the one that it was made from. */
  readonly version: number
  readonly settings: Readonly<Record<string, unknown>>
  readonly actor: string
  /** Hub time, milliseconds since the epoch. */
  readonly at: number
}

export interface ReportedRow {
  readonly reported: ReportedConfig
  /** Hub time. */
  readonly receivedAt: number
}

export interface CommandRow {
  readonly command: Command
  readonly actor: string
  /** Oldest first; the last one is final once its status is `done` or `failed`. */
  readonly replies: readonly CommandReply[]
}

/** Tables of what the hub decides for its devices and what became of it. */
export interface FleetTables {
  /** `site~node`, or `site` for all of its devices. */
  readonly documents: Database<ConfigDocument, string>
  /** [key, version] -> what it was. */
  readonly history: Database<ConfigDocument, [string, number]>
  /** `site~node` -> what was sent to it. */
  readonly issued: Database<DesiredConfig, string>
  readonly reported: Database<ReportedRow, string>
  /** [site~node, issuedAt, id]: oldest first within a device. */
  readonly commands: Database<CommandRow, [string, number, string]>
  /** Durable when it resolves; all or nothing. @throws STORE_FAILED */
  write<T>(job: () => T): Promise<T>
}

export function fleetTables({ root, committer }: StoreEnvironment): FleetTables {
  return {
    documents: root.openDB('config-documents', {}),
    history: root.openDB('config-history', {}),
    issued: root.openDB('config-issued', {}),
    reported: root.openDB('config-reported', {}),
    commands: root.openDB('commands', {}),
    write: job => committer.run(job),
  }
}
