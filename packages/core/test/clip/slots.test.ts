import { Slots } from '@sightline/core/clip/slots.js'
import { expect, test } from 'vitest'

function deferred() {
  let resolve: () => void = () => {}
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

test('so many run at once, the others in the order in which they came', async () => {
  const slots = new Slots(2)
  const started: number[] = []
  const gates = Array.from({ length: 4 }, deferred)
  const runs = gates.map(({ promise }, i) =>
    slots.run(() => {
      started.push(i)
      return promise.then(() => i)
    }),
  )
  expect(started).toEqual([0, 1])
  gates[1]!.resolve()
  expect(await runs[1]).toBe(1)
  expect(started).toEqual([0, 1, 2])
  for (const { resolve } of gates) resolve()
  expect(await Promise.all(runs)).toEqual([0, 1, 2, 3])
})

test('work that fails, at once or later, gives its slot back', async () => {
  const slots = new Slots(1)
  const failing = slots.run(() => {
    throw new RangeError('at once')
  })
  const next = slots.run(() => Promise.reject(new RangeError('later')))
  await expect(failing).rejects.toThrow('at once')
  await expect(next).rejects.toThrow('later')
  expect(await slots.run(async () => 'done')).toBe('done')
})
