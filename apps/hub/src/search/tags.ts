import type { AuditLog } from '../store/audit-log.ts'
import type { RecordStore, TagChange, TagCount } from '../store/record-store.ts'

export interface TagsOptions {
  readonly store: Pick<RecordStore, 'changeTags' | 'tags'>
  readonly audit: Pick<AuditLog, 'record'>
}

/** What people call frames by, so that they find them again: a case, a collection, what is to be looked at tomorrow. */
export class Tags {
  readonly #options: TagsOptions
  #changes = 0

  constructor(options: TagsOptions) {
    this.#options = options
  }

  /** Grows with every change: answers of before may be out of date. */
  get changes(): number {
    return this.#changes
  }

  list(): TagCount[] {
    return this.#options.store.tags()
  }

  /** Durable when it resolves, with how many frames it changed. @throws TAG_LIMIT, STORE_FAILED */
  async change(change: TagChange, actor: string): Promise<number> {
    const { store, audit } = this.#options
    // An answer from before is out of date from here on, and one from in between is when it is done.
    this.#changes++
    const frames = await store.changeTags(change).finally(() => {
      this.#changes++
    })
    const { add, remove } = change
    if (frames > 0)
      await audit.record({
        actor,
        action: 'frames.tagged',
        subject: [...add, ...remove].join(', '),
        detail: { frames, added: add.join(', '), removed: remove.join(', ') },
      })
    return frames
  }
}
