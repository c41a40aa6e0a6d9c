import { Type } from 'typebox'

/** Settings of signing in. */
export const AuthSettings = Type.Object(
  {
    required: Type.Enum(['auto', 'always', 'never'], {
      default: 'auto',
      description:
        'Whether people sign in. auto: beyond loopback or behind a proxy, and everywhere once there has been a user. never: on loopback only (docs/security.md).',
    }),
    sessionIdleMinutes: Type.Integer({
      minimum: 1,
      maximum: 43_200,
      default: 720,
      description: 'A session that is not used for so long ends.',
    }),
    sessionDays: Type.Integer({
      minimum: 1,
      maximum: 365,
      default: 7,
      description: 'A session ends after so long, used or not.',
    }),
  },
  { additionalProperties: false, default: {} },
)
