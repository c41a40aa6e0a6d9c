import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ClipModel } from '@sightline/core'
import { Type } from 'typebox'

const Vectors = Type.Array(Type.Array(Type.Number()))

export const encodeRoutes: FastifyPluginAsyncTypebox<{ model: ClipModel }> = async (app, { model }) => {
  app.post(
    '/encode',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Texts and pictures to unit vectors',
        body: Type.Object(
          {
            texts: Type.Optional(
              Type.Array(Type.String({ minLength: 1, maxLength: 2000 }), { maxItems: 256 }),
            ),
            images: Type.Optional(
              Type.Array(Type.String({ minLength: 1, description: 'JPEG, PNG or WebP in base64.' }), {
                maxItems: 32,
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            fingerprint: Type.String(),
            dim: Type.Integer(),
            texts: Vectors,
            images: Vectors,
          }),
        },
      },
    },
    async ({ body: { texts = [], images = [] } }) => ({
      fingerprint: model.fingerprint,
      dim: model.dim,
      texts: (await model.encodeTexts(texts)).map(vector => [...vector]),
      images: (await model.encodeImages(images.map(image => Buffer.from(image, 'base64')))).map(vector => [
        ...vector,
      ]),
    }),
  )
}
