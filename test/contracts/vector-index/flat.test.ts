import { FlatIndex } from '@sightline/hub/index/flat-index.js'
import { vectorIndexContract } from './contract.ts'

vectorIndexContract({ name: 'flat', open: async (_dir, dim) => new FlatIndex({ dim }), isExact: true })
