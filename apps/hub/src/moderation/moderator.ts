import { type ClipModel, fault } from '@sightline/core'
import type { RuleDesk } from '../rules/rule-desk.ts'
import type { RecordStore } from '../store/record-store.ts'
import type { Occasion } from './applicability.ts'
import type { CompiledRules } from './compiled-rules.ts'
import { type Moderation, moderate } from './moderate.ts'

/** Pictures of one request: each takes some ten milliseconds of the image tower. */
export const MAX_PICTURES = 16
/** More requests at once are refused: each holds up to 16 decoded pictures. */
const MAX_REQUESTS = 16

export interface ModeratorOptions {
  readonly rules: Pick<RuleDesk, 'compiled'>
  readonly model: Pick<ClipModel, 'encodeImages' | 'fingerprint'>
  readonly store: Pick<RecordStore, 'frame'>
}

export interface Moderations {
  /** What they were judged by: the rules in force when the pictures were embedded. */
  readonly rules: CompiledRules
  /** One for each picture, in order. */
  readonly moderations: readonly Moderation[]
}

/** Judges pictures by the rules in force, as the devices judge frames. */
export class Moderator {
  readonly #options: ModeratorOptions
  #running = 0

  constructor(options: ModeratorOptions) {
    this.#options = options
  }

  /**
   * @param images JPEG, PNG or WebP files, 1 to 16
   * @param occasion leaves out the rules that it is not for
   * @throws API_BAD_REQUEST on none or more pictures; IMAGE_INVALID, IMAGE_TOO_LARGE with `details.index`; API_BUSY;
   * NOT_READY before the rules are compiled; MODEL_*
   */
  async images(images: readonly Uint8Array[], occasion: Occasion = {}): Promise<Moderations> {
    if (images.length < 1 || images.length > MAX_PICTURES)
      throw fault('API_BAD_REQUEST', `give 1 to ${MAX_PICTURES} pictures, not ${images.length}`)
    if (this.#running >= MAX_REQUESTS) throw fault('API_BUSY', `${MAX_REQUESTS} moderations are under way`)
    this.#running++
    try {
      const vectors = await this.#options.model.encodeImages(images)
      const rules = this.#options.rules.compiled()
      return { rules, moderations: vectors.map(vector => moderate(rules, vector, occasion)) }
    } finally {
      this.#running--
    }
  }

  /**
   * A stored frame by the rules of its site and camera that were on duty when it was taken, without embedding it again.
   * @param camera in place of the frame's own
   * @throws API_NOT_FOUND; MODEL_DIM_MISMATCH when another model made its vector; NOT_READY
   */
  frame(id: string, camera?: string): Moderations {
    const { store, model } = this.#options
    const frame = store.frame(id)
    if (frame === undefined) throw fault('API_NOT_FOUND', `there is no frame ${id}`)
    if (frame.fingerprint !== model.fingerprint)
      throw fault(
        'MODEL_DIM_MISMATCH',
        `frame ${id} is of ${frame.fingerprint}, the hub runs ${model.fingerprint}`,
      )
    const rules = this.#options.rules.compiled()
    const occasion = { site: frame.site, camera: camera ?? frame.camera, at: frame.capturedAt }
    return { rules, moderations: [moderate(rules, frame.vector, occasion)] }
  }
}
