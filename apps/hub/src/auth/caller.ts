import type { Role } from './person.ts'
import { Scope } from './scope.ts'

/** Who asks. */
export interface Caller {
  /** As the audit log names him. */
  readonly actor: string
  readonly kind: 'nobody' | 'local' | 'user' | 'key' | 'device'
  /** Null: neither nobody nor a device has one. */
  readonly role: Role | null
  readonly scope: Scope
  /** Whether what he showed would still be taken: for answers that go on for long. */
  readonly holds: () => boolean
}

export const NOBODY: Caller = {
  actor: 'nobody',
  kind: 'nobody',
  role: null,
  scope: new Scope([]),
  holds: () => true,
}

/** Whoever reaches a hub that asks nobody who he is. */
export function localCaller(holds: () => boolean): Caller {
  return { actor: 'local', kind: 'local', role: 'admin', scope: Scope.everything, holds }
}
