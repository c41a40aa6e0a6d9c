import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type ClipModel, fault } from '@sightline/core'
import { type Static, Type } from 'typebox'
import { type Examples, examplesOf } from '../../rules/examples.ts'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import { Jpeg } from '../openapi.ts'
import { Limit } from '../shapes.ts'

const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 260 }) })
const JsonBody = Type.Object(
  { image: Type.String({ minLength: 1, description: 'A JPEG, PNG or WebP file in base64.' }) },
  { additionalProperties: false },
)
const UploadBody = Type.Object(
  // Already bytes when the schema sees it, hence no type.
  { image: Type.Unsafe<Buffer>({ description: 'A JPEG, PNG or WebP file.' }) },
  { additionalProperties: false },
)
const Example = Type.Object({
  id: Type.String({ description: 'For positiveExamples and negativeExamples of a rule.' }),
  thumbnailUrl: Type.Union([Type.String(), Type.Null()]),
})
const Listed = Type.Object({
  ...Example.properties,
  at: Type.String({ format: 'date-time' }),
  rules: Type.Array(Type.String(), { description: 'Rules in force that name it.' }),
})

export interface ExampleParts {
  readonly examples: Examples
  readonly rules: RuleDesk
  readonly model: ClipModel
}

/** Pictures that rules may name as examples. */
export const exampleRoutes: FastifyPluginAsyncTypebox<ExampleParts> = async (
  app,
  { examples, rules, model },
) => {
  app.post(
    '/rules/examples',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Keep a picture as an example for rules',
        description:
          'The same file again gives the same id. Kept are its embedding and a JPEG of at most 512 pixels a side.',
        consumes: ['application/json', 'multipart/form-data'],
        body: {
          content: {
            'application/json': { schema: JsonBody },
            'multipart/form-data': { schema: UploadBody },
          },
        },
        response: { 201: Example },
      },
    },
    async (request, reply) => {
      const { image } = request.body as Static<typeof JsonBody> | Static<typeof UploadBody>
      if (request.isMultipart() && !Buffer.isBuffer(image))
        throw fault('API_BAD_REQUEST', 'image must be a file')
      const bytes = Buffer.isBuffer(image) ? image : Buffer.from(image, 'base64')
      const id = await examples.upload(bytes, model, examplesOf(rules.get().rules))
      reply.status(201)
      return { id, thumbnailUrl: thumbnailUrl(id) }
    },
  )

  app.get(
    '/rules/examples',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Pictures that are kept for rules, newest first',
        querystring: Type.Object({ limit: Limit(100, 1000) }, { additionalProperties: false }),
        response: { 200: Type.Object({ examples: Type.Array(Listed) }) },
      },
    },
    async ({ query: { limit } }) => {
      const named = rules.get().rules.map(rule => ({ id: rule.id, examples: examplesOf([rule]) }))
      return {
        examples: examples.list(limit ?? 100).map(({ id, at, hasPicture }) => ({
          id,
          thumbnailUrl: hasPicture ? thumbnailUrl(id) : null,
          at: new Date(at).toISOString(),
          rules: named.filter(rule => rule.examples.has(id)).map(rule => rule.id),
        })),
      }
    },
  )

  app.get(
    '/rules/examples/:id/thumbnail',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Picture of an example',
        produces: ['image/jpeg'],
        params: Id,
        response: { 200: Jpeg },
      },
    },
    async ({ params: { id } }, reply) => {
      const picture = examples.picture(id)
      if (picture === undefined) throw fault('API_NOT_FOUND', `no picture of example ${id}`)
      return reply
        .type('image/jpeg')
        .header('cache-control', 'private, max-age=3600')
        .send(Buffer.from(picture))
    },
  )
}

function thumbnailUrl(id: string): string {
  return `/api/v1/rules/examples/${encodeURIComponent(id)}/thumbnail`
}
