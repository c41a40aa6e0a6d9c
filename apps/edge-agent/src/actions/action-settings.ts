import { INCIDENT_PHASES, type SchemaFault } from '@sightline/core'
import { type Static, Type } from 'typebox'

export const ACTION_TYPES = ['webhook', 'exec'] as const

/** Which settings an action of a type must have, and which it may have. */
const OWN = {
  webhook: { must: ['url'], may: ['secret', 'secretFile'] },
  exec: { must: ['command'], may: ['args'] },
} as const

const DEFAULT_RETRIES = { webhook: 10, exec: 0 } as const

const SECRET = '^whsec_[A-Za-z0-9+/]{32,}={0,2}$'
const WEBHOOK_SECRET = new RegExp(SECRET)

const Action = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,63}$',
      description: 'By which rules name it in `actions`.',
    }),
    type: Type.Enum([...ACTION_TYPES]),
    phases: Type.Array(Type.Enum([...INCIDENT_PHASES]), {
      minItems: 1,
      maxItems: 3,
      default: ['new', 'end'],
      description: 'Steps in the life of an incident that trigger it.',
    }),
    thumbnail: Type.Boolean({
      default: false,
      description: 'Send the best frame along, 64 KiB at most, while the device still has it.',
    }),
    timeoutSeconds: Type.Number({ minimum: 0.1, maximum: 300, default: 15 }),
    retries: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description:
          'After 1 s, then twice as long each time, 5 minutes at most. Default: 10 of a webhook, 0 of a program.',
      }),
    ),
    url: Type.Optional(
      Type.String({ pattern: '^https?://[^/]', maxLength: 2048, description: 'Of a webhook; required.' }),
    ),
    secret: Type.Optional(
      Type.String({
        pattern: SECRET,
        maxLength: 200,
        description:
          'Of a webhook: whsec_ and 24 to 64 random bytes in base64. Without one nothing is signed.',
      }),
    ),
    secretFile: Type.Optional(
      Type.String({ minLength: 1, description: 'Of a webhook: file with the secret, instead of `secret`.' }),
    ),
    command: Type.Optional(
      Type.String({
        pattern: '^/',
        maxLength: 1024,
        description:
          'Of exec; required: absolute path of a program that `actionsExec.allow` lists. No shell.',
      }),
    ),
    args: Type.Optional(
      Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64, description: 'Of exec.' }),
    ),
  },
  { additionalProperties: false },
)

export type ActionSettings = Static<typeof Action>

/** What a device can do when an incident begins, changes or ends. Only the device's own settings say. */
export const Actions = Type.Array(Action, { default: [], maxItems: 64 })

export const ActionsExec = Type.Object(
  {
    allow: Type.Array(Type.String({ pattern: '^/', maxLength: 1024 }), {
      default: [],
      maxItems: 64,
      description: 'Absolute paths of the programs that actions may start; none by default.',
    }),
  },
  { additionalProperties: false, default: {} },
)

interface WithActions {
  readonly actions: readonly ActionSettings[]
  readonly actionsExec: Static<typeof ActionsExec>
}

/** What the schema cannot say. */
export function actionFaults({ actions, actionsExec }: WithActions): SchemaFault[] {
  const names = new Set<string>()
  return actions.flatMap((action, i) => {
    const faults: SchemaFault[] = []
    const refuse = (key: string, message: string) => faults.push({ path: `actions.${i}.${key}`, message })
    if (names.has(action.name)) refuse('name', `another action is named ${action.name}`)
    names.add(action.name)
    const { must, may } = OWN[action.type]
    for (const key of must) if (action[key] === undefined) refuse(key, `is required of ${action.type}`)
    for (const key of Object.values(OWN).flatMap(own => [...own.must, ...own.may])) {
      const own = ([...must, ...may] as string[]).includes(key)
      if (!own && action[key] !== undefined) refuse(key, `does not belong to ${action.type}`)
    }
    if (action.type === 'exec' && action.command !== undefined && !actionsExec.allow.includes(action.command))
      refuse('command', 'is not listed in actionsExec.allow')
    if (action.secret !== undefined && action.secretFile !== undefined)
      refuse('secretFile', 'give one of secret and secretFile')
    if (action.type === 'webhook' && action.url !== undefined) {
      const url = URL.canParse(action.url) ? new URL(action.url) : undefined
      if (url === undefined) refuse('url', 'is no address')
      else if (url.username + url.password !== '')
        refuse('url', 'must not hold credentials; the target can check the signature')
    }
    return faults
  })
}

export function isWebhookSecret(text: string): boolean {
  return WEBHOOK_SECRET.test(text)
}

export function retriesOf({ type, retries }: ActionSettings): number {
  return retries ?? DEFAULT_RETRIES[type]
}

/** For people to read: without secrets. The path of a webhook often is one. */
export function publicActions(actions: readonly ActionSettings[]): ActionSettings[] {
  return actions.map(action => ({
    ...action,
    ...(action.url !== undefined && { url: `${new URL(action.url).origin}/…` }),
    ...(action.secret !== undefined && { secret: '***' }),
  }))
}
