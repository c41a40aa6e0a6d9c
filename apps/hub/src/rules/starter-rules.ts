import type { Rule } from '@sightline/core'
import { STARTER_RULES } from '@sightline/core/moderation/starter-rules.js'
import { validateRules } from './validate.ts'

/** What a hub starts with. */
export function starterRules(): Rule[] {
  return validateRules(STARTER_RULES)
}
