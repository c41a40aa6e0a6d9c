import { parentPort, workerData } from 'node:worker_threads'
import { learnFromLabels } from '@sightline/core/moderation/few-shot.js'
import type { Sample } from './learning.ts'

parentPort!.postMessage({ id: 0, result: learnFromLabels(workerData as Sample[]) })
