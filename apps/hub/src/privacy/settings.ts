import { NAME_PATTERN, type SchemaFault } from '@sightline/core'
import { type Static, Type } from 'typebox'

/** From most to least. */
export const PICTURE_POLICIES = ['full', 'blurred', 'none'] as const
export type PicturePolicy = (typeof PICTURE_POLICIES)[number]

const Days = { minimum: 0, maximum: 36_500 }

/** What the hub keeps of pictures, whatever devices send. */
export const ThumbnailSettings = Type.Object(
  {
    policy: Type.Enum([...PICTURE_POLICIES], {
      default: 'full',
      description:
        'What the hub keeps of thumbnails, whatever devices send: full, blurred to coarse shapes, or none. Made stricter, it is applied to stored ones, too, within the hour (docs/security.md).',
    }),
    days: Type.Number({
      ...Days,
      default: 0,
      description: 'Thumbnails older than this are deleted, within the hour; their frames stay. 0: never.',
    }),
    sites: Type.Array(
      Type.Object(
        {
          site: Type.String({ pattern: NAME_PATTERN }),
          policy: Type.Optional(
            Type.Enum([...PICTURE_POLICIES], { description: 'Default: thumbnails.policy.' }),
          ),
          days: Type.Optional(Type.Number({ ...Days, description: 'Default: thumbnails.days.' })),
        },
        { additionalProperties: false },
      ),
      { default: [], maxItems: 1000, description: 'Sites where it is otherwise.' },
    ),
  },
  { additionalProperties: false, default: {} },
)
export type ThumbnailSettings = Static<typeof ThumbnailSettings>

/** What the schema cannot say. */
export function thumbnailFaults({ sites }: ThumbnailSettings): SchemaFault[] {
  return sites.flatMap(({ site }, i) =>
    sites.findIndex(other => other.site === site) === i
      ? []
      : [{ path: `thumbnails.sites.${i}.site`, message: `${site} is named twice` }],
  )
}

export interface PictureRule {
  readonly policy: PicturePolicy
  /** 0: as long as the frame. */
  readonly days: number
}

/** What holds for each site. */
export class PictureRules {
  readonly #usual: PictureRule
  readonly #others: ReadonlyMap<string, PictureRule>

  constructor({ policy, days, sites }: ThumbnailSettings) {
    this.#usual = { policy, days }
    this.#others = new Map(sites.map(({ site, ...own }) => [site, { policy, days, ...own }]))
  }

  of(site: string): PictureRule {
    return this.#others.get(site) ?? this.#usual
  }

  /** Whether no stored picture can ever be in breach. */
  get keepAll(): boolean {
    return [this.#usual, ...this.#others.values()].every(
      ({ policy, days }) => policy === 'full' && days === 0,
    )
  }
}
