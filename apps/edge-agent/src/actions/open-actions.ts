import { readFile } from 'node:fs/promises'
import { type Clock, fault, type Log, messageOf } from '@sightline/core'
import type { RunnableAction } from './action-runner.ts'
import { type ActionSettings, isWebhookSecret, retriesOf } from './action-settings.ts'
import { ExecAction } from './exec-action.ts'
import { WebhookAction } from './webhook-action.ts'

export interface OpenActionsOptions {
  readonly settings: readonly ActionSettings[]
  readonly clock: Clock
  readonly log: Log
}

/** The actions that checked settings name. @throws CONFIG_INVALID when a secret cannot be read */
export async function openActions({ settings, clock, log }: OpenActionsOptions): Promise<RunnableAction[]> {
  return await Promise.all(
    settings.map(async action => {
      const { name, type, url = '', command = '', args = [] } = action
      const timed = { name, timeoutMs: action.timeoutSeconds * 1000, clock }
      return {
        action:
          type === 'exec'
            ? new ExecAction({ ...timed, command, args, log })
            : new WebhookAction({ ...timed, url, secret: await secretOf(action) }),
        retries: retriesOf(action),
      }
    }),
  )
}

async function secretOf({ name, secret, secretFile }: ActionSettings): Promise<string | undefined> {
  if (secretFile === undefined) return secret
  const text = await readFile(secretFile, 'utf8').catch(cause => {
    throw fault('CONFIG_INVALID', `action ${name}: cannot read its secret: ${messageOf(cause)}`, { cause })
  })
  if (!isWebhookSecret(text.trim())) {
    throw fault('CONFIG_INVALID', `action ${name}: ${secretFile} does not hold whsec_ and base64`)
  }
  return text.trim()
}
