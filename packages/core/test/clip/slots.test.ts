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

test('heavy work starts with any slot free, and what comes later waits until it has paid back', async () => {
  const slots = new Slots(3)
  const started: string[] = []
  const gates = new Map<string, ReturnType<typeof deferred>>()
  const run = (name: string, weight?: number) => {
    const gate = deferred()
    gates.set(name, gate)
    return slots.run(() => {
      started.push(name)
      return gate.promise
    }, weight)
  }
  const settle = async (name: string, work: Promise<void>) => {
    gates.get(name)!.resolve()
    await work
  }
  const [light, other] = [run('light'), run('other')]
  const heavy = run('heavy', 3)
  const late = [run('late 1'), run('late 2')]
  expect(started).toEqual(['light', 'other', 'heavy'])
  await settle('light', light)
  await settle('other', other)
  // Three slots, all of them heavy's.
  expect(started).toEqual(['light', 'other', 'heavy'])
  await settle('heavy', heavy)
  expect(started).toEqual(['light', 'other', 'heavy', 'late 1', 'late 2'])
  await settle('late 1', late[0]!)
  await settle('late 2', late[1]!)
})

test('light work does not overtake heavy work that waits', async () => {
  const slots = new Slots(1)
  const started: string[] = []
  const work = ['first', 'heavy', 'light'].map((name, i) =>
    slots.run(async () => void started.push(name), i === 1 ? 4 : 1),
  )
  await Promise.all(work)
  expect(started).toEqual(['first', 'heavy', 'light'])
})
