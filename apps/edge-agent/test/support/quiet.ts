import { createLog } from '@sightline/core'

export const quiet = createLog({ name: 'test', level: 'silent' })
