import { Batcher } from '@sightline/core/clip/batcher.js'
import { systemClock } from '@sightline/core/clock.js'
import { fault } from '@sightline/core/errors.js'
import { describe, expect, test } from 'vitest'

/** A runner whose runs end when told, and a clock that sleeps until told. */
function harness(limits: Partial<{ maxBatch: number; maxWaitMs: number; maxQueued: number }> = {}) {
  const batches: number[][] = []
  const gates: (() => void)[] = []
  const sleeps: { delayMs: number; wake: () => void }[] = []
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (delayMs: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleeps.push({ delayMs, wake: resolve })
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
  const batcher = new Batcher<number, number>({
    run: async items => {
      batches.push([...items])
      await new Promise<void>(resolve => gates.push(resolve))
      if (items.includes(-1)) throw fault('MODEL_FAILED', 'broken')
      return items.map(item => (item === 0 ? fault('MODEL_OUTPUT_INVALID', 'zero') : item * 10))
    },
    clock,
    limits: { maxBatch: 3, maxWaitMs: 0, maxQueued: 5, ...limits },
  })
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise(resolve => setImmediate(resolve))
  }
  const finish = async (run: number) => {
    await until(() => gates.length > run)
    gates[run]!()
  }
  return { batcher, batches, sleeps, until, finish }
}

describe('batches', () => {
  test('form of what was submitted together, and of what came while one ran', async () => {
    const { batcher, batches, until, finish } = harness()
    const first = [batcher.submit(1), batcher.submit(2)]
    await until(() => batches.length === 1)
    const second = [3, 4, 5, 6].map(item => batcher.submit(item))
    for (const run of [0, 1, 2]) await finish(run)
    expect(await Promise.all([...first, ...second])).toEqual([10, 20, 30, 40, 50, 60])
    expect(batches).toEqual([[1, 2], [3, 4, 5], [6]])
    expect(batcher.stats).toEqual({ runs: 3, items: 6, queued: 0 })
  })

  test('take in what is submitted before their turn comes, and not what was taken back', async () => {
    const turns: (() => void)[] = []
    const batches: number[][] = []
    const batcher = new Batcher<number, number>({
      run: async items => {
        batches.push([...items])
        return items
      },
      clock: systemClock,
      limits: { maxBatch: 3, maxWaitMs: 0, maxQueued: 5 },
      admit: async run => {
        await new Promise<void>(resolve => turns.push(resolve))
        return run()
      },
    })
    const turn = async (run: number) => {
      while (turns.length <= run) await new Promise(resolve => setImmediate(resolve))
    }
    const first = batcher.submit(1)
    await turn(0)
    const controller = new AbortController()
    const gone = batcher.submit(2, controller.signal)
    const second = batcher.submit(3)
    controller.abort(new DOMException('gone', 'AbortError'))
    await expect(gone).rejects.toMatchObject({ name: 'AbortError' })
    turns[0]!()
    expect(await Promise.all([first, second])).toEqual([1, 3])
    expect(batches).toEqual([[1, 3]])
    const last = batcher.submit(4)
    await turn(1)
    turns[1]!()
    expect(await last).toBe(4)
    await batcher.close()
  })

  test('wait for company no longer than told', async () => {
    const { batcher, batches, sleeps, until, finish } = harness({ maxWaitMs: 20 })
    const alone = batcher.submit(1)
    await until(() => sleeps.length === 1)
    expect([sleeps[0]!.delayMs, batches.length]).toEqual([20, 0])
    sleeps[0]!.wake()
    await finish(0)
    expect(await alone).toBe(10)
  })

  test('leave at once when full', async () => {
    const { batcher, batches, sleeps, until, finish } = harness({ maxWaitMs: 20 })
    const first = batcher.submit(1)
    await until(() => sleeps.length === 1)
    const others = [batcher.submit(2), batcher.submit(3)]
    await finish(0)
    expect(await Promise.all([first, ...others])).toEqual([10, 20, 30])
    expect(batches).toEqual([[1, 2, 3]])
  })

  test('a faulty item fails alone, a faulty run fails all of its items and no others', async () => {
    const { batcher, finish } = harness()
    const mixed = [batcher.submit(0), batcher.submit(7)]
    await finish(0)
    await expect(mixed[0]).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    expect(await mixed[1]).toBe(70)
    const broken = Promise.allSettled([batcher.submit(-1), batcher.submit(8)])
    await finish(1)
    expect((await broken).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const after = batcher.submit(9)
    await finish(2)
    expect(await after).toBe(90)
  })
})

describe('limits', () => {
  test('one more than the queue holds is refused', async () => {
    const { batcher, batches, until, finish } = harness({ maxQueued: 2 })
    const running = batcher.submit(1)
    await until(() => batches.length === 1)
    const waiting = [batcher.submit(2), batcher.submit(3)]
    await expect(batcher.submit(4)).rejects.toMatchObject({ code: 'MODEL_BUSY' })
    await finish(0)
    await finish(1)
    expect(await Promise.all([running, ...waiting])).toEqual([10, 20, 30])
  })

  test('an aborted item leaves the queue; a running one is finished', async () => {
    const { batcher, batches, until, finish } = harness()
    const controller = new AbortController()
    const running = batcher.submit(1, controller.signal)
    await until(() => batches.length === 1)
    const waiting = batcher.submit(2, controller.signal)
    controller.abort(new DOMException('gone', 'AbortError'))
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    await expect(batcher.submit(3, controller.signal)).rejects.toMatchObject({ name: 'AbortError' })
    await finish(0)
    expect(await running).toBe(10)
    expect(batches).toEqual([[1]])
  })

  test('close drains, then refuses', async () => {
    const { batcher, finish } = harness({ maxWaitMs: 1000 })
    const accepted = batcher.submit(1)
    const closed = batcher.close()
    await expect(batcher.submit(2)).rejects.toMatchObject({ code: 'MODEL_FAILED' })
    await finish(0)
    expect(await accepted).toBe(10)
    await closed
  })
})
