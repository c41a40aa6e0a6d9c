import { type Static, Type } from 'typebox'

/** Relative, forward slashes, no hidden segment and no `..`: the only paths that a registry, a pin or a URL may name. */
export const SAFE_PATH = '^(?:[A-Za-z0-9_][A-Za-z0-9._-]*/){0,6}[A-Za-z0-9_][A-Za-z0-9._-]*$'
export const MODEL_NAME = '^[a-z0-9][a-z0-9._-]{0,63}$'
export const UNPINNED = 'unpinned'

const SourceFile = Type.Object(
  {
    path: Type.String({
      pattern: SAFE_PATH,
      maxLength: 200,
      description: 'In the source and in the model directory alike.',
    }),
    bytes: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
      description: 'null: not known; recorded on the first pull.',
    }),
    sha256: Type.Union([Type.String({ pattern: '^[0-9a-f]{64}$' }), Type.Literal(UNPINNED)], {
      description: 'Lower-case hex, or "unpinned": trusted on the first pull and held to it afterwards.',
    }),
  },
  { additionalProperties: false },
)
export type SourceFile = Static<typeof SourceFile>

const Rgb = Type.Tuple([Type.Number(), Type.Number(), Type.Number()])
const TensorName = Type.String({ minLength: 1, description: 'Found in the ONNX file when left out.' })

const Source = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('huggingface'),
      repo: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$' }),
      revision: Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
        description: 'A commit, or a branch: then the commit of the first pull is recorded and kept.',
      }),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    { kind: Type.Literal('https'), base: Type.String({ pattern: '^https://[^\\s?#@]+$' }) },
    { additionalProperties: false },
  ),
])
export type Source = Static<typeof Source>

/** One model: where its files lie, what they must hash to, and all that its manifest.json needs beside them. */
export const RegistryEntry = Type.Object(
  {
    name: Type.String({ pattern: MODEL_NAME }),
    version: Type.String({ minLength: 1 }),
    title: Type.String({ minLength: 1 }),
    source: Source,
    files: Type.Object(
      {
        image: SourceFile,
        text: SourceFile,
        tokenizer: SourceFile,
        tokenizerConfig: SourceFile,
        variants: Type.Optional(
          Type.Object(
            {
              fp32: Type.Optional(SourceFile),
              fp16: Type.Optional(SourceFile),
              dynamic: Type.Optional(SourceFile),
              qdq: Type.Optional(SourceFile),
            },
            {
              additionalProperties: false,
              description: 'The image tower in other precisions; devices take what suits their provider.',
            },
          ),
        ),
        more: Type.Optional(
          Type.Array(SourceFile, {
            maxItems: 64,
            description:
              'Weight files beside a model file. Those that an ONNX file names itself need no entry.',
          }),
        ),
      },
      {
        additionalProperties: false,
        description: 'image and text may be the same file with both towers.',
      },
    ),
    license: Type.Object(
      { spdx: Type.String({ minLength: 1 }), notice: Type.String({ minLength: 1 }) },
      { additionalProperties: false },
    ),
    precision: Type.Union([Type.Literal('fp32'), Type.Literal('fp16'), Type.Literal('int8')]),
    dim: Type.Integer({ minimum: 8, maximum: 4096 }),
    logitScale: Type.Object(
      { value: Type.Number({ exclusiveMinimum: 0 }), source: Type.String({ minLength: 1 }) },
      { additionalProperties: false, description: 'With where it comes from, or that it is assumed.' },
    ),
    image: Type.Object(
      {
        size: Type.Integer({ minimum: 16, maximum: 1024 }),
        resize: Type.Union([Type.Literal('crop'), Type.Literal('squash')]),
        mean: Rgb,
        std: Rgb,
        input: Type.Optional(TensorName),
        output: Type.Optional(TensorName),
      },
      { additionalProperties: false },
    ),
    text: Type.Object(
      {
        contextLength: Type.Integer({ minimum: 8, maximum: 8192 }),
        padTo: Type.Union([Type.Literal('contextLength'), Type.Literal('longest')]),
        padId: Type.Integer({ minimum: 0 }),
        clean: Type.Union([Type.Literal('clip'), Type.Literal('none')]),
        inputIds: Type.Optional(TensorName),
        attentionMask: Type.Optional(TensorName),
        output: Type.Optional(TensorName),
      },
      { additionalProperties: false },
    ),
    zeroShot: Type.Union(
      [
        Type.Object(
          {
            dataset: Type.String({ minLength: 1 }),
            metric: Type.String({ minLength: 1 }),
            value: Type.Number({ description: 'Fraction, 0 to 1.' }),
            source: Type.String({ minLength: 1 }),
          },
          { additionalProperties: false },
        ),
        Type.Null(),
      ],
      { description: 'A published figure with its source; null when none is known.' },
    ),
    trainingData: Type.Array(
      Type.Object(
        { name: Type.String(), terms: Type.String(), use: Type.String() },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type RegistryEntry = Static<typeof RegistryEntry>

export const RegistryFile = Type.Object(
  { schema: Type.Literal(1), models: Type.Array(RegistryEntry) },
  { additionalProperties: false, $id: 'sightline:model-registry-1' },
)
export type RegistryFile = Static<typeof RegistryFile>
