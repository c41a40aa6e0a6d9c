import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'

const ModelFile = Type.Object(
  {
    path: Type.String({
      minLength: 1,
      pattern: '^(?!.*\\.\\.)[A-Za-z0-9][A-Za-z0-9._/-]*$',
      description: 'Relative to the model directory.',
    }),
    bytes: Type.Integer({ minimum: 1 }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Lower-case hex SHA-256 of the file.' }),
  },
  { additionalProperties: false },
)

const Rgb = Type.Tuple([Type.Number(), Type.Number(), Type.Number()])
const Deviation = Type.Number({ exclusiveMinimum: 0 })

const Tower = {
  file: ModelFile,
  precision: Type.Union([Type.Literal('fp32'), Type.Literal('fp16'), Type.Literal('int8')]),
  output: Type.String({ minLength: 1, description: 'Output tensor, shape [batch, dim].' }),
  maxBatch: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        'Largest batch whose vectors do not depend on one another. 1 for dynamically quantised towers, which scale activations over the batch.',
    }),
  ),
}

/** How a tower's file may compute: float32, float16, or int8 with activations quantised as they come or beforehand. */
export const VARIANTS = ['fp32', 'fp16', 'dynamic', 'qdq'] as const
export type VariantName = (typeof VARIANTS)[number]

const Variant = Type.Object({ file: ModelFile, maxBatch: Tower.maxBatch }, { additionalProperties: false })

const CanaryVector = Type.String({
  pattern: '^[A-Za-z0-9+/]+={0,2}$',
  description: 'Little-endian float32, L2-normalised, length dim, in base64.',
})

/** A model directory's manifest.json: everything needed to turn bytes or a sentence into a unit vector. */
export const ModelManifest = Type.Object(
  {
    schema: Type.Literal(1),
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*$' }),
    version: Type.String({ minLength: 1 }),
    title: Type.String({ minLength: 1 }),
    dim: Type.Integer({ minimum: 8, maximum: 4096, description: 'Embedding length.' }),
    logitScale: Type.Number({
      exclusiveMinimum: 0,
      description: 'Inverse temperature of the contrastive softmax; OpenAI CLIP: 100.',
    }),
    image: Type.Object(
      {
        ...Tower,
        input: Type.String({
          minLength: 1,
          description: 'Input tensor, float32 [batch, 3, size, size], RGB planes.',
        }),
        size: Type.Integer({ minimum: 16, maximum: 1024 }),
        resize: Type.Union([Type.Literal('crop'), Type.Literal('squash')], {
          description: 'crop: shorter side to size, then centre crop (CLIP). squash: both sides to size.',
        }),
        mean: Rgb,
        std: Type.Tuple([Deviation, Deviation, Deviation]),
        variants: Type.Optional(
          Type.Object(
            {
              fp32: Type.Optional(Variant),
              fp16: Type.Optional(Variant),
              dynamic: Type.Optional(Variant),
              qdq: Type.Optional(Variant),
            },
            {
              additionalProperties: false,
              description:
                'The same tower in other precisions: same tensors, and embeddings that agree with the canary. A device takes the file that suits its provider. Not part of the fingerprint.',
            },
          ),
        ),
      },
      { additionalProperties: false },
    ),
    text: Type.Object(
      {
        ...Tower,
        inputIds: Type.String({
          minLength: 1,
          description: 'Input tensor with the token ids, [batch, sequence].',
        }),
        attentionMask: Type.Optional(
          Type.String({ minLength: 1, description: 'Input tensor with the mask, when the tower takes one.' }),
        ),
        idType: Type.Union([Type.Literal('int64'), Type.Literal('int32')]),
        contextLength: Type.Integer({
          minimum: 8,
          maximum: 8192,
          description: 'Longest sequence in tokens, specials included.',
        }),
        padTo: Type.Union([Type.Literal('contextLength'), Type.Literal('longest')]),
        padId: Type.Integer({ minimum: 0 }),
        clean: Type.Union([Type.Literal('clip'), Type.Literal('none')], {
          description:
            'clip: HTML entities, full-width forms and whitespace cleaned, as the original tokenizer does.',
        }),
        tokenizer: ModelFile,
        tokenizerConfig: ModelFile,
      },
      { additionalProperties: false },
    ),
    license: Type.Object(
      {
        spdx: Type.String({
          minLength: 1,
          description: 'SPDX expression, or LicenseRef-… for terms of its own.',
        }),
        notice: Type.String({ minLength: 1, description: 'One sentence that a user must have read.' }),
      },
      { additionalProperties: false },
    ),
    trainingData: Type.Array(
      Type.Object(
        { name: Type.String(), terms: Type.String(), use: Type.String() },
        { additionalProperties: false },
      ),
    ),
    quality: Type.Array(
      Type.Object(
        {
          dataset: Type.String(),
          metric: Type.String(),
          value: Type.Number(),
          note: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
      { description: 'Measured figures only.' },
    ),
    cannot: Type.Array(Type.String(), {
      description: 'Concepts that the model was seen to get wrong; rules that name one carry a warning.',
    }),
    canary: Type.Optional(
      Type.Object(
        {
          images: Type.Tuple([CanaryVector, CanaryVector]),
          text: Type.String({ minLength: 1 }),
          textVector: CanaryVector,
        },
        {
          additionalProperties: false,
          description:
            'Known embeddings of two built-in pictures and a sentence; a provider that does not reproduce them is refused. Not part of the fingerprint.',
        },
      ),
    ),
  },
  { additionalProperties: false, $id: 'sightline:model-manifest-1' },
)

export type ModelManifest = Static<typeof ModelManifest>

/**
 * Identity of the vector space: vectors with different fingerprints are never compared. Covers everything that moves
 * a vector (weights, tokenizer, preprocessing), nothing that does not (title, licence, quality).
 */
export function modelFingerprint(manifest: ModelManifest): string {
  const { image, text } = manifest
  const moves = [
    [manifest.dim, image.file.sha256, image.size, image.resize, image.mean, image.std],
    [text.file.sha256, text.contextLength, text.padTo, text.padId, text.clean, text.tokenizer.sha256],
  ]
  return `${manifest.name}:${createHash('sha256').update(JSON.stringify(moves)).digest('hex').slice(0, 12)}`
}
