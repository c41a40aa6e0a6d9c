import { newest } from '@sightline/edge-agent/camera/newest.js'
import { expect, it } from 'vitest'
import { settled } from '../support/fake-clock.ts'

/** A source that the test pushes into. */
class Tap {
  #give: (step: { item: number } | { error: Error } | 'end') => void = () => {}

  async *items(): AsyncIterable<number> {
    for (;;) {
      const step = await new Promise<{ item: number } | { error: Error } | 'end'>(resolve => {
        this.#give = resolve
      })
      if (step === 'end') return
      if ('error' in step) throw step.error
      yield step.item
    }
  }

  async push(step: { item: number } | { error: Error } | 'end'): Promise<void> {
    this.#give(step)
    await settled()
  }
}

it('gives a slow consumer the newest item and counts the others', async () => {
  const tap = new Tap()
  let dropped = 0
  const items = newest(tap.items(), () => dropped++)[Symbol.asyncIterator]()
  const first = items.next()
  await settled()
  await tap.push({ item: 1 })
  expect(await first).toEqual({ done: false, value: 1 })
  for (const item of [2, 3, 4]) await tap.push({ item })
  expect(await items.next()).toEqual({ done: false, value: 4 })
  expect(dropped).toBe(2)
  const next = items.next()
  await tap.push({ item: 5 })
  expect(await next).toEqual({ done: false, value: 5 })
})

it('hands on the last item before the end, and a failure after it', async () => {
  for (const end of ['end', { error: new RangeError('dead') }] as const) {
    const tap = new Tap()
    const items = newest(tap.items(), () => {})[Symbol.asyncIterator]()
    const first = items.next()
    await settled()
    await tap.push({ item: 1 })
    await first
    await tap.push({ item: 2 })
    await tap.push(end)
    expect(await items.next()).toEqual({ done: false, value: 2 })
    if (end === 'end') expect((await items.next()).done).toBe(true)
    else await expect(items.next()).rejects.toThrow('dead')
  }
})
