import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { buildClassifier, classify } from '@sightline/core'
import { type Static, Type } from 'typebox'
import type { Search } from '../../search/search.ts'
import { SubjectShape, Text } from '../search-shapes.ts'
import { subjectOf } from '../search-views.ts'

const MAX_MATCHES = 256
const MAX_LABELS = 100
const MAX_TEMPLATES = 8
/** Pictures and texts that one request has encoded at a time. */
const AT_ONCE = 8

const Subject = Type.Object(SubjectShape, { additionalProperties: false })
const Value = Type.Object({ value: Type.Number() })

/** What the model says of pictures and words that need not be stored. */
export const zeroShotRoutes: FastifyPluginAsyncTypebox<{ search: Search }> = async (app, { search }) => {
  const { vectors } = search
  const { model } = vectors
  const embed = async (subject: Static<typeof Subject>) => (await vectors.embed(subjectOf(subject))).vector

  app.post(
    '/rank',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Rank texts for a picture, or pictures for a text',
        description:
          'As /rank of CLIP-as-service: clip_score is the softmax over the matches, clip_score_cosine the cosine.',
        body: Type.Object(
          { ...SubjectShape, matches: Type.Array(Subject, { minItems: 1, maxItems: MAX_MATCHES }) },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            matches: Type.Array(
              Type.Object({
                index: Type.Integer({ description: 'Its place in the request.' }),
                text: Type.Optional(Type.String()),
                id: Type.Optional(Type.String()),
                scores: Type.Object({ clip_score: Value, clip_score_cosine: Value }),
              }),
              { description: 'Best first.' },
            ),
          }),
        },
      },
    },
    async ({ body: { matches, ...subject } }) => {
      const query = await embed(subject)
      const others: Float32Array[] = []
      for (let i = 0; i < matches.length; i += AT_ONCE)
        others.push(...(await Promise.all(matches.slice(i, i + AT_ONCE).map(embed))))
      const { logitScale } = model.manifest
      const ranked = classify(query, {
        labels: matches.map((_, i) => String(i)),
        vectors: others,
        logitScale,
        fingerprint: model.fingerprint,
      })
      return {
        matches: ranked
          .map(({ similarity, probability }, index) => {
            const { text, id } = matches[index]!
            const scores = { clip_score: { value: probability }, clip_score_cosine: { value: similarity } }
            return { index, ...(text && { text }), ...(id && { id }), scores }
          })
          .sort((a, b) => b.scores.clip_score_cosine.value - a.scores.clip_score_cosine.value),
      }
    },
  )

  app.post(
    '/classify',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Which of these labels a picture shows',
        body: Type.Object(
          {
            ...SubjectShape,
            labels: Type.Array(Text, { minItems: 1, maxItems: MAX_LABELS }),
            templates: Type.Optional(
              Type.Array(Text, {
                minItems: 1,
                maxItems: MAX_TEMPLATES,
                description: '`{}` stands for the label. Default: a photo of a {}.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            labels: Type.Array(
              Type.Object({
                label: Type.String(),
                probability: Type.Number({ description: 'Softmax over the labels: one of them gets it.' }),
                similarity: Type.Number(),
              }),
              { description: 'Best first.' },
            ),
          }),
        },
      },
    },
    async ({ body: { labels, templates, ...subject } }) => {
      const vector = await embed(subject)
      const classifier = await buildClassifier(model, labels, templates)
      const scores = classify(vector, classifier)
      return { labels: scores.sort((a, b) => b.probability - a.probability) }
    },
  )
}
