import { join } from 'node:path'
import { type DeviceCredential, fault, isFault, type Log } from '@sightline/core'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import type { PullProgress } from '@sightline/models/pull/progress.js'
import { pullModel } from '@sightline/models/pull/pull.js'
import { loadRegistry } from '@sightline/models/registry/registry.js'
import { installedModel } from '@sightline/models/store/model-store.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { type Static, Type } from 'typebox'
import { fetchAs, hubPath } from './enroll/hub-client.ts'
import type { SavedDocument } from './saved-document.ts'

const Slot = Type.Object({
  slot: Type.Enum(['a', 'b']),
  name: Type.String(),
  fingerprint: Type.String(),
})
/** A model that was pulled, in one of two places, so that the one before stays whole. */
export type Slot = Static<typeof Slot>

/** Null: the device's own model, by `model.dir` or the embedded one. */
const Choice = Type.Union([Slot, Type.Null()])

export const SavedModel = Type.Object({
  v: Type.Literal(1),
  current: Choice,
  trial: Type.Union([
    Type.Object({
      choice: Choice,
      starts: Type.Integer({ minimum: 0 }),
      /** Id of the command that asked for it. */
      command: Type.Union([Type.String(), Type.Null()]),
    }),
    Type.Null(),
  ]),
})
type SavedModel = Static<typeof SavedModel>

/** As for configurations: one interruption may be a power cut. */
const MAX_STARTS = 2

export interface ModelSlotsOptions {
  readonly file: SavedDocument<typeof SavedModel>
  readonly dir: string
  readonly credential: () => DeviceCredential | undefined
  readonly log: Log
}

export interface FetchOptions {
  readonly signal: AbortSignal
  readonly progress: PullProgress
}

/** Which model the device runs, and which it goes back to. */
export class ModelSlots {
  readonly #options: ModelSlotsOptions
  #saved: SavedModel = { v: 1, current: null, trial: null }

  constructor(options: ModelSlotsOptions) {
    this.#options = options
  }

  /** @returns the trial that ends here because the agent did not survive it */
  async load(): Promise<{ readonly command: string | null } | undefined> {
    this.#saved = (await this.#options.file.read()) ?? this.#saved
    const { trial } = this.#saved
    if (trial === null) return undefined
    if (trial.starts < MAX_STARTS) {
      await this.#save({ trial: { ...trial, starts: trial.starts + 1 } })
      return undefined
    }
    await this.rollBack()
    return { command: trial.command }
  }

  /** In use; null: the device's own. */
  get active(): Slot | null {
    return this.#saved.trial === null ? this.#saved.current : this.#saved.trial.choice
  }

  get trial(): { readonly command: string | null } | undefined {
    return this.#saved.trial ?? undefined
  }

  /** Directory of the model in use; undefined: the device's own. */
  get dir(): string | undefined {
    const { active } = this
    return active === null ? undefined : this.#layout(active.slot).modelDir(active.name)
  }

  /**
   * Pulls a model of the hub into the place that is not in use, every file verified.
   * @throws CREDENTIAL_MISSING, MODEL_*, DISK_FULL
   */
  async fetch(name: string, { signal, progress }: FetchOptions): Promise<Slot> {
    const slot = this.#saved.current?.slot === 'a' ? 'b' : 'a'
    const layout = this.#layout(slot)
    const credential = this.#options.credential()
    if (credential === undefined)
      throw fault('CREDENTIAL_MISSING', 'models are pulled from the hub of an enrolled device')
    try {
      const { fingerprint } = await pullModel({
        name,
        layout,
        registry: await loadRegistry(),
        mirror: hubPath(credential.hubUrl, 'models/').href,
        // The hub decides what its models are; a name may stand for something new.
        repin: true,
        fetch: fetchAs(credential),
        signal,
        progress,
      })
      return { slot, name, fingerprint }
    } catch (error) {
      const there = await installedModel(layout, name)
      if (!isFault(error, 'MODEL_PULL_FAILED') || there === undefined) throw error
      // A device that goes back to what it had must not need its hub for it. The files are verified when it opens.
      this.#options.log.warn({ err: error, model: name }, 'hub not reachable; taking the model that is here')
      return { slot, name, fingerprint: modelFingerprint(there.manifest) }
    }
  }

  /** @throws STORE_FAILED; nothing has then changed */
  async begin(choice: Slot | null, command: string | null): Promise<void> {
    const next = { ...this.#saved, trial: { choice, starts: 1, command } }
    await this.#options.file.write(next)
    this.#saved = next
  }

  async commit(): Promise<void> {
    const { trial } = this.#saved
    if (trial !== null) await this.#save({ current: trial.choice, trial: null })
  }

  async rollBack(): Promise<void> {
    if (this.#saved.trial !== null) await this.#save({ trial: null })
  }

  /** A clean end is no failure. */
  async pause(): Promise<void> {
    const { trial } = this.#saved
    if (trial !== null) await this.#save({ trial: { ...trial, starts: 0 } })
  }

  #layout(slot: Slot['slot']): StoreLayout {
    return new StoreLayout(join(this.#options.dir, slot))
  }

  /** A full disk must keep no agent from starting, nor from going back. */
  async #save(change: Partial<SavedModel>): Promise<void> {
    this.#saved = { ...this.#saved, ...change }
    await this.#options.file.write(this.#saved).catch(err => this.#options.log.error({ err }, 'not saved'))
  }
}
