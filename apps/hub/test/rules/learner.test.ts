import { createLog, systemClock } from '@sightline/core'
import { Learner } from '@sightline/hub/rules/learner.js'
import { expect, it } from 'vitest'

const log = createLog({ name: 'test', level: 'silent' })

/** A clock whose sleeps end when the test says so. */
function sleeper() {
  const asleep: (() => void)[] = []
  const clock = {
    ...systemClock,
    sleep: (_delayMs: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        asleep.push(resolve)
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
  return { clock, asleep }
}

it('learns once from a series of reviews, and again from the next', async () => {
  const { clock, asleep } = sleeper()
  let lessons = 0
  const rules = { relearn: async () => void lessons++ }
  const learner = new Learner({ rules, delayMs: 60_000, clock, log })
  for (let review = 0; review < 100; review++) learner.notice()
  expect([asleep.length, lessons]).toEqual([1, 0])
  asleep[0]!()
  await expect.poll(() => lessons).toBe(1)
  learner.notice()
  expect(asleep).toHaveLength(2)
  asleep[1]!()
  await expect.poll(() => lessons).toBe(2)
  learner.notice()
  await learner.stop()
  learner.notice()
  expect([asleep.length, lessons]).toEqual([3, 2])
})

it('survives a lesson that fails', async () => {
  const { clock, asleep } = sleeper()
  let lessons = 0
  const rules = {
    relearn: async () => {
      if (lessons++ === 0) throw new RangeError('no')
    },
  }
  const learner = new Learner({ rules, delayMs: 0, clock, log })
  learner.notice()
  asleep[0]!()
  await expect.poll(() => lessons).toBe(1)
  learner.notice()
  asleep[1]!()
  await expect.poll(() => lessons).toBe(2)
  await learner.stop()
})
