import type { Log } from '@sightline/core'
import type { Ingest } from '../ingest/ingest.ts'
import type { Commands } from './commands.ts'
import type { Shadow } from './shadow.ts'

export interface GreetingParts {
  readonly ingest: Pick<Ingest, 'on'>
  readonly shadow: Shadow
  readonly commands: Commands
  readonly log: Log
}

/** A device that comes gets the configuration of its site, when it is new, and the commands that it missed. */
export function greetDevices({ ingest, shadow, commands, log }: GreetingParts): void {
  const states = new Map<string, number>()
  ingest.on('node', ({ site, node, state }) => {
    const key = `${site}~${node}`
    if (state === null || states.get(key) === state.at) return
    // A birth looks like any other state; what was sent twice is carried out once.
    states.set(key, state.at)
    if (!state.online) return
    Promise.all([shadow.greet({ site, node }), commands.resend({ site, node })]).catch(err =>
      log.error({ err, site, node }, 'device not greeted'),
    )
  })
}
