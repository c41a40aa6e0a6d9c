import {
  bareJpeg,
  blurredThumbnail,
  type CommandReply,
  type ErrorCode,
  messageOf,
  thumbnail as thumbnailOf,
} from '@sightline/core'
import type { PictureRules } from './settings.ts'

const MAX_BYTES = 128 * 1024
/** Longer side of the largest that an agent makes, and so of what is made anew here. */
const MAX_SIDE_PX = 1024
const MAX_SNAPSHOT_SIDE_PX = 1920
const BLURRED_SIDE_PX = 256
/** Of a picture that is decoded here: those of agents are a tenth of it. */
const MAX_PIXELS = 16_000_000

/** What may be kept of a picture. */
export interface AdmittedPicture {
  readonly thumbnail?: Uint8Array
  readonly blurred?: true
}

export interface PictureStats {
  /** No JPEG, too large or damaged. */
  refused: number
  /** Left out by a site's policy. */
  withheld: number
  /** Blurred by a site's policy. */
  blurred: number
  /** Made anew without what they held besides the picture. */
  cleaned: number
}

/** Every picture of a device passes here: what its site allows comes in, without a place, a name or a comment in it. */
export class PictureGate {
  readonly #rules: Pick<PictureRules, 'of'>
  readonly stats: PictureStats = { refused: 0, withheld: 0, blurred: 0, cleaned: 0 }

  constructor({ rules }: { rules: Pick<PictureRules, 'of'> }) {
    this.#rules = rules
  }

  /** Of a thumbnail. Never throws: what is unusable is left out, and counted. */
  async admit(site: string, thumbnail: Uint8Array | undefined): Promise<AdmittedPicture> {
    if (thumbnail === undefined) return {}
    const { policy } = this.#rules.of(site)
    if (policy === 'none') {
      this.stats.withheld++
      return {}
    }
    if (thumbnail.byteLength > MAX_BYTES) return this.#refused()
    try {
      if (policy === 'full') return { thumbnail: await this.#cleaned(thumbnail, MAX_SIDE_PX) }
      // Also when the device says that it blurs: what it sends is not known to be blurred.
      const blurred = await blurredThumbnail(thumbnail, BLURRED_SIDE_PX, { maxPixels: MAX_PIXELS })
      this.stats.blurred++
      return { thumbnail: blurred, blurred: true }
    } catch {
      return this.#refused()
    }
  }

  /** Of the picture in the result of a command, if there is one: `jpeg`, base64. */
  async admitReply(site: string, reply: CommandReply): Promise<CommandReply> {
    const { result } = reply
    if (typeof result !== 'object' || result === null) return reply
    const { jpeg } = result as { jpeg?: unknown }
    if (typeof jpeg !== 'string') return reply
    const { policy } = this.#rules.of(site)
    if (policy === 'none') {
      this.stats.withheld++
      return failed(reply, 'PICTURE_WITHHELD', `the hub takes no pictures of ${site}`)
    }
    try {
      const bytes = Buffer.from(jpeg, 'base64')
      const kept =
        policy === 'full'
          ? await this.#cleaned(bytes, MAX_SNAPSHOT_SIDE_PX)
          : await blurredThumbnail(bytes, BLURRED_SIDE_PX, { maxPixels: MAX_PIXELS })
      if (policy === 'blurred') this.stats.blurred++
      return { ...reply, result: { ...result, jpeg: Buffer.from(kept).toString('base64') } }
    } catch (error) {
      this.#refused()
      return failed(reply, 'IMAGE_INVALID', messageOf(error))
    }
  }

  /** Most are as the agent makes them, and pass as they are. @throws IMAGE_INVALID, IMAGE_TOO_LARGE */
  async #cleaned(bytes: Uint8Array, sidePx: number): Promise<Uint8Array> {
    const bare = bareJpeg(bytes)
    if (bare !== undefined && Math.max(bare.width, bare.height) <= sidePx) return bytes
    const clean = await thumbnailOf(bytes, sidePx, { maxPixels: MAX_PIXELS })
    this.stats.cleaned++
    return clean
  }

  #refused(): AdmittedPicture {
    this.stats.refused++
    return {}
  }
}

function failed({ result: _, ...reply }: CommandReply, code: ErrorCode, message: string): CommandReply {
  return { ...reply, status: 'failed', code, message: message.slice(0, 2000) }
}
