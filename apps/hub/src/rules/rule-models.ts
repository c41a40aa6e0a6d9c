import { fault, type Log, loadModel } from '@sightline/core'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { installedModels } from '@sightline/models/store/model-store.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import type { RuleModel } from './compile.ts'

export interface RuleModelsOptions {
  /** Model store of the hub. */
  readonly storeDir: string
  /** Folders of single models beside it. */
  readonly modelDirs?: readonly string[] | undefined
  readonly log: Log
}

/** Models that devices run and the hub does not: opened for as long as rules are compiled for them, one at a time. */
export class RuleModels {
  readonly #options: RuleModelsOptions
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: RuleModelsOptions) {
    this.#options = options
  }

  /**
   * @param pictures whether examples must be embedded too; otherwise the image tower need not even be there
   * @throws RULES_MODEL_MISSING when no installed model has this fingerprint; MODEL_*
   */
  use<T>(fingerprint: string, pictures: boolean, work: (model: RuleModel) => Promise<T>): Promise<T> {
    const use = this.#last.then(() => this.#open(fingerprint, pictures, work))
    this.#last = use.catch(() => undefined)
    return use
  }

  async #find(fingerprint: string): Promise<string> {
    const { storeDir, modelDirs = [] } = this.#options
    const installed = await installedModels(new StoreLayout(storeDir))
    const beside = await Promise.all(
      modelDirs.map(async dir => ({ dir, manifest: await readManifest(dir).catch(() => undefined) })),
    )
    const found = [...installed, ...beside].find(
      ({ manifest }) => manifest !== undefined && modelFingerprint(manifest) === fingerprint,
    )
    if (found === undefined) throw missing(fingerprint, storeDir)
    return found.dir
  }

  async #open<T>(fingerprint: string, pictures: boolean, work: (model: RuleModel) => Promise<T>): Promise<T> {
    const { log } = this.#options
    const dir = await this.#find(fingerprint)
    const towers = pictures ? (['text', 'image'] as const) : (['text'] as const)
    // One thread: searches and uploads go on beside it.
    const model = await loadModel({ dir, towers, threads: 1 })
    log.debug({ fingerprint, towers }, 'model opened for rules')
    try {
      // Without the image tower there is nothing to embed pictures with.
      const encodeImages = pictures ? model.encodeImages.bind(model) : undefined
      const { manifest, dim } = model
      return await work({
        manifest,
        fingerprint,
        dim,
        encodeTexts: texts => model.encodeTexts(texts),
        ...(encodeImages === undefined ? {} : { encodeImages }),
      })
    } finally {
      await model.close()
    }
  }
}

function missing(fingerprint: string, storeDir: string) {
  const [name] = fingerprint.split(':')
  return fault(
    'RULES_MODEL_MISSING',
    `no model with the fingerprint ${fingerprint} at the hub: pull it with sightline-models pull ${name} --store ${storeDir}`,
  )
}
