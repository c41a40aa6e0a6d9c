import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { conforms, fault, NAME_PATTERN, SEVERITIES } from '@sightline/core'
import { type Static, Type } from 'typebox'
import { DECISIONS } from '../../moderation/moderate.ts'
import { newModerationId, resultView } from '../../moderation/moderation-view.ts'
import type { Moderations, Moderator } from '../../moderation/moderator.ts'

const DATA_URL = /^data:image\/(?:jpe?g|png|webp);base64,/i

const Camera = Type.Optional(
  Type.String({ pattern: NAME_PATTERN, description: 'Only the rules of this camera; default: all rules.' }),
)
const At = Type.Optional(
  Type.String({
    format: 'date-time',
    description: 'When the pictures were taken: only rules on duty then. Default: schedules do not count.',
  }),
)
const MaxLabels = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 20,
    description: 'Labels that are told besides those that block or want review.',
  }),
)
const Model = Type.Optional(
  Type.String({ maxLength: 200, description: "Ignored: the answer names the hub's model." }),
)

const TextPart = Type.Object({ type: Type.Literal('text'), text: Type.String() })
const ImagePart = Type.Object({
  type: Type.Literal('image_url'),
  image_url: Type.Object({ url: Type.String() }),
})
const Input = Type.Union([
  Type.String(),
  Type.Array(Type.Union([Type.String(), ImagePart, TextPart]), { maxItems: 64 }),
])

const JsonBody = Type.Object(
  {
    // Checked by the handler, hence no type: the coercion that form fields need would turn a list of one into its item.
    input: Type.Optional(
      Type.Unknown({
        description:
          "The OpenAI input: data:image/jpeg;base64,… (or png, webp), or a list of these or of {type: 'image_url', " +
          'image_url: {url}}. Addresses are not fetched.',
      }),
    ),
    image: Type.Optional(Type.String({ minLength: 1, description: 'A JPEG, PNG or WebP file in base64.' })),
    id: Type.Optional(Type.String({ minLength: 1, maxLength: 300, description: 'A stored frame.' })),
    model: Model,
    camera: Camera,
    at: At,
    max_labels: MaxLabels,
  },
  { additionalProperties: false },
)

const UploadBody = Type.Object(
  {
    // Already bytes when the schema sees it, hence no type.
    image: Type.Unsafe<Buffer>({ description: 'A JPEG, PNG or WebP file.' }),
    model: Model,
    camera: Camera,
    at: At,
    max_labels: MaxLabels,
  },
  { additionalProperties: false },
)

const NullableText = Type.Union([Type.String(), Type.Null()])
const Decision = Type.Enum([...DECISIONS])

const Result = Type.Object({
  flagged: Type.Boolean({ description: 'Whether any rule fires.' }),
  categories: Type.Record(Type.String(), Type.Boolean()),
  category_scores: Type.Record(Type.String(), Type.Number()),
  category_applied_input_types: Type.Record(Type.String(), Type.Array(Type.String())),
  decision: Decision,
  labels: Type.Array(
    Type.Object({
      name: Type.String({ description: 'Category of the rule; a key of `categories`.' }),
      parent: NullableText,
      rule_id: Type.String(),
      rule_name: Type.String(),
      rule_version: Type.Integer({ description: 'Version of the rules in force.' }),
      severity: Type.Enum([...SEVERITIES]),
      decision: Decision,
      similarity: Type.Number({ description: 'Raw cosine of the best positive prompt.' }),
      score: Type.Number({ description: 'Probability; 0 while similarity is below minSimilarity.' }),
      threshold: Type.Number(),
      margin: Type.Number({ description: 'score - threshold' }),
      best_positive: NullableText,
      best_negative: NullableText,
    }),
  ),
})

const Answer = Type.Object({ id: Type.String(), model: Type.String(), results: Type.Array(Result) })

export interface ModerationParts {
  readonly moderator: Moderator
  readonly modelName: string
}

export const moderationRoutes: FastifyPluginAsyncTypebox<ModerationParts> = async (
  app,
  { moderator, modelName },
) => {
  app.post(
    '/moderations',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Judge pictures by the rules in force (OpenAI moderation shape)',
        description:
          'Give input, image or id. One result for each picture. decision: block when a rule of severity medium or above ' +
          'fires, review when one of severity info or low fires or a score lies in the review band (from reviewAt, or else ' +
          'off, up to on), else allow.',
        consumes: ['application/json', 'multipart/form-data'],
        body: {
          content: {
            'application/json': { schema: JsonBody },
            'multipart/form-data': { schema: UploadBody },
          },
        },
        response: { 200: Answer },
      },
    },
    async request => {
      const { rules, moderations, maxLabels } = request.isMultipart()
        ? await judgeUpload(moderator, request.body as Static<typeof UploadBody>)
        : await judgeJson(moderator, request.body as Static<typeof JsonBody>)
      return {
        id: newModerationId(),
        model: modelName,
        results: moderations.map(moderation => resultView(rules, moderation, maxLabels)),
      }
    },
  )
}

type Judged = Moderations & { readonly maxLabels: number }

async function judgeUpload(
  moderator: Moderator,
  { image, camera, at, max_labels: maxLabels = 20 }: Static<typeof UploadBody>,
): Promise<Judged> {
  if (!Buffer.isBuffer(image)) throw fault('API_BAD_REQUEST', 'image must be a file')
  return { ...(await moderator.images([image], occasionOf(camera, at))), maxLabels }
}

async function judgeJson(moderator: Moderator, body: Static<typeof JsonBody>): Promise<Judged> {
  const { input, image, id, camera, at, max_labels: maxLabels = 20 } = body
  const given = [input, image, id].filter(part => part !== undefined).length
  if (given !== 1) throw fault('API_BAD_REQUEST', `give exactly one of input, image and id, not ${given}`)
  if (id !== undefined) return { ...moderator.frame(id, camera), maxLabels }
  const images = image === undefined ? picturesOf(input) : [Buffer.from(image, 'base64')]
  return { ...(await moderator.images(images, occasionOf(camera, at))), maxLabels }
}

function occasionOf(camera: string | undefined, at: string | undefined) {
  return { camera, at: at === undefined ? undefined : Date.parse(at) }
}

function picturesOf(input: unknown): Buffer[] {
  if (!conforms(Input, input))
    throw fault(
      'API_BAD_REQUEST',
      'input must be a data URL of a picture, or a list of data URLs and image_url parts',
    )
  const parts = typeof input === 'string' ? [input] : input
  return parts.map((part, i) => {
    if (typeof part === 'string') return pictureOf(part, `input.${i}`)
    if (part.type === 'image_url') return pictureOf(part.image_url.url, `input.${i}.image_url.url`)
    // Leaving words out would tell the caller that they were looked at.
    throw fault('API_BAD_REQUEST', `input.${i}: only pictures are judged, not text`)
  })
}

function pictureOf(url: string, path: string): Buffer {
  const prefix = DATA_URL.exec(url.slice(0, 64))?.[0]
  if (prefix !== undefined) return Buffer.from(url.slice(prefix.length), 'base64')
  if (/^https?:/i.test(url))
    throw fault('API_BAD_REQUEST', `${path}: addresses are not fetched; send data:image/jpeg;base64,…`)
  throw fault('API_BAD_REQUEST', `${path}: only pictures are judged: data:image/jpeg;base64,… (or png, webp)`)
}
