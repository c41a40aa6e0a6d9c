import { createLog } from '@sightline/core'
import { openSegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import { vectorIndexContract } from './contract.ts'
import { SEAL_AT } from './subject.ts'

const log = createLog({ name: 'test', level: 'silent' })

vectorIndexContract({
  name: 'segments',
  open: (dir, dim) => openSegmentedIndex({ dir, dim, fingerprint: 'test:0', log, sealAt: SEAL_AT }),
})
