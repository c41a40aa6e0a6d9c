import { Worker } from 'node:worker_threads'
import { WorkerChannel } from '../index/worker-channel.ts'
import type { Learnt, Teach } from './learning.ts'

/** A head or a calibration from labels, on a thread of its own: with 200 labels it computes for some half a second. */
export const teachOnThread: Teach = async frames => {
  const thread = new WorkerChannel(
    new Worker(new URL('./teach-worker.js', import.meta.url), { workerData: frames }),
  )
  return await thread.only<Learnt>().finally(() => thread.exited)
}
