import type { Clock, Log } from '@sightline/core'
import type { IndexKeeper } from '../index/index-keeper.ts'
import { Eraser } from '../retention/eraser.ts'
import { Retention } from '../retention/retention.ts'
import type { SavedSearches } from '../search/saved-searches.ts'
import type { HubSettings } from '../settings.ts'
import type { AuditLog } from '../store/audit-log.ts'
import type { LmdbRecordStore } from '../store/lmdb-store.ts'
import { SnapshotLedger } from '../store/snapshot-ledger.ts'
import { Forgetter, type FrameReferences } from './forgetter.ts'
import { PictureSweep } from './picture-sweep.ts'
import type { PictureRules } from './settings.ts'

export interface CreatePrivacyOptions {
  readonly settings: Pick<HubSettings, 'retention'>
  readonly rules: PictureRules
  readonly store: LmdbRecordStore
  readonly index: IndexKeeper
  readonly saved: SavedSearches
  readonly references: Omit<FrameReferences, 'store'>
  readonly audit: AuditLog
  readonly context: { readonly clock: Clock; readonly log: Log }
}

export interface PrivacyParts {
  readonly eraser: Eraser
  readonly sweep: PictureSweep
  readonly retention: Retention
  readonly forgetter: Forgetter
}

/** All that takes away what is stored, joined: the part of the composition root that `hub.ts` would be too long with. */
export function createPrivacy(options: CreatePrivacyOptions): PrivacyParts {
  const { settings, rules, store, index, saved, references, audit, context } = options
  const eraser = new Eraser({ store, index, saved, log: context.log })
  const sweep = new PictureSweep({ rules, store, ...context })
  return {
    eraser,
    sweep,
    retention: new Retention({ settings: settings.retention, store, eraser, pictures: sweep, ...context }),
    forgetter: new Forgetter({
      eraser,
      references: { ...references, store },
      snapshots: new SnapshotLedger(store),
      audit,
    }),
  }
}
