import { type Static, Type } from 'typebox'
import { MODEL_NAME, SAFE_PATH } from '../registry/schema.ts'

/** `index.json` of a model store that is served: what a device needs to pull from it. */
export const StoreIndex = Type.Object(
  {
    schema: Type.Literal(1),
    kind: Type.Literal('sightline-model-store'),
    models: Type.Array(
      Type.Object(
        {
          name: Type.String({ pattern: MODEL_NAME }),
          version: Type.String(),
          title: Type.String(),
          fingerprint: Type.String(),
          files: Type.Array(
            Type.Object(
              {
                path: Type.String({ pattern: SAFE_PATH, maxLength: 200 }),
                bytes: Type.Integer({ minimum: 1 }),
                sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
              },
              { additionalProperties: false },
            ),
            { description: 'All files but manifest.json.' },
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false, $id: 'sightline:model-store-1' },
)
export type StoreIndex = Static<typeof StoreIndex>
