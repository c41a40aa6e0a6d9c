import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { IndexKeeper, type IndexKeeperOptions } from '@sightline/hub/index/index-keeper.js'
import { Search, type SearchOptions } from '@sightline/hub/search/search.js'
import { Tags } from '@sightline/hub/search/tags.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { FrameSource } from '../../../../test/support/stored-frames.ts'

const log = createLog({ name: 'test', level: 'silent' })

export interface SearchableOptions {
  readonly model: SearchOptions['model']
  readonly clock?: SearchOptions['clock']
  /** How the index is opened; default: segments. */
  readonly open?: IndexKeeperOptions['open']
}

/** A store whose frames are indexed as they come, and a search over them. */
export interface Searchable {
  readonly root: string
  readonly store: Awaited<ReturnType<typeof openLmdbStore>>
  readonly ingest: FrameSource
  readonly keeper: IndexKeeper
  readonly search: Search
  readonly tags: Tags
  close(): Promise<void>
}

export async function openSearchable(options: SearchableOptions): Promise<Searchable> {
  const { model, clock = systemClock, open } = options
  const root = await mkdtemp(join(tmpdir(), 'sightline-search-'))
  const store = await openLmdbStore({ dir: join(root, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  const ingest = new FrameSource(store)
  const keeper = new IndexKeeper({ settings: { dir: join(root, 'index') }, store, ingest, model, log, open })
  await keeper.start()
  await keeper.caughtUp()
  const tags = new Tags({ store, audit: { record: async () => {} } })
  return {
    root,
    store,
    ingest,
    keeper,
    tags,
    search: new Search({ store, index: keeper, tags, model, clock }),
    close: async () => {
      await keeper.stop()
      await store.close()
      await rm(root, { recursive: true })
    },
  }
}
