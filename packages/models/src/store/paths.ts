import { homedir } from 'node:os'
import { join } from 'node:path'
import { fault } from '@sightline/core/errors.js'
import { MODEL_NAME, SAFE_PATH } from '../registry/schema.ts'

export function defaultStoreDir(): string {
  return join(homedir(), '.cache', 'sightline', 'models')
}

const safePath = new RegExp(SAFE_PATH)
const modelName = new RegExp(MODEL_NAME)

/** Relative, inside, no hidden segment, no `..`. */
export function isSafePath(path: string): boolean {
  return path.length <= 200 && safePath.test(path)
}

export function isModelName(name: string): boolean {
  return modelName.test(name)
}

/**
 * Where things lie in a model store. What is not a finished model lies in folders whose names begin with a dot, which
 * no model's name can: whoever copies `<store>/<name>` copies a whole model.
 */
export class StoreLayout {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** @throws MODEL_UNKNOWN when the name cannot be a model's */
  modelDir(name: string): string {
    return this.#under('', name)
  }

  /** Files that are being fetched; kept between pulls so that they resume. */
  stagingDir(name: string): string {
    return this.#under('.staging', name)
  }

  /** The model that is being replaced, for the moment between two renames. */
  retiredDir(name: string): string {
    return this.#under('.retired', name)
  }

  /** What the first pull found: see `pins.ts`. */
  pinFile(name: string): string {
    return this.#under('.pins', `${name}.json`)
  }

  busyFile(name: string): string {
    return this.#under('.busy', name)
  }

  #under(folder: string, name: string): string {
    if (!isModelName(name)) throw fault('MODEL_UNKNOWN', `"${name}" cannot be the name of a model`)
    return join(this.root, folder, name)
  }
}
