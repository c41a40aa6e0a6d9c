import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exponentialBackoff, fault } from '@sightline/core'
import type { Action, Delivery } from '@sightline/edge-agent/actions/action.js'
import { ActionQueue } from '@sightline/edge-agent/actions/action-queue.js'
import { ActionRunner } from '@sightline/edge-agent/actions/action-runner.js'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { incidentStep } from '../support/records.ts'
import { until } from '../support/until.ts'

/** A target that a test steers. */
class Target implements Action {
  readonly name: string
  readonly calls: Delivery[] = []
  failure: Error | undefined
  /** Does not answer while set. */
  holding = false

  constructor(name = 'desk') {
    this.name = name
  }

  get ids(): string[] {
    return this.calls.map(({ id }) => id)
  }

  async deliver(delivery: Delivery, signal: AbortSignal): Promise<void> {
    this.calls.push(delivery)
    if (this.holding)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    if (this.failure !== undefined) throw this.failure
  }
}

let dir = ''
let clock: FakeClock
let outbox: Outbox
let queue: ActionQueue
let counts = { actionsSent: 0, actionsFailed: 0, actionsDropped: 0 }
let running: ActionRunner[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'action-runner-'))
  clock = new FakeClock()
  const limits = { maxBytes: 1e9, minFreeDiskBytes: 0 }
  outbox = await Outbox.open({ dir, limits, clock, log: quiet, newId: ulid })
  counts = { actionsSent: 0, actionsFailed: 0, actionsDropped: 0 }
  running = []
  queue = new ActionQueue({
    outbox,
    actions: ['desk', 'siren'].map(name => ({ name, phases: ['new', 'end'], thumbnail: false })),
    device: { site: 'site', node: 'node' },
    onDrop: () => counts.actionsDropped++,
  })
})
afterEach(async () => {
  for (const runner of running) await stopped(runner)
  await outbox.close()
  await rm(dir, { recursive: true, force: true })
})

async function started(...actions: { action: Action; retries: number }[]): Promise<ActionRunner> {
  // Without chance: 1 s, 2 s, 4 s, at most 10 s.
  const backoff = exponentialBackoff(1000, 10_000, () => 1)
  const runner = new ActionRunner({ queue, actions, counts, backoff, clock, log: quiet })
  running.push(runner)
  await runner.start()
  return runner
}

/** The clock goes on while it drains. */
async function stopped(runner: ActionRunner): Promise<void> {
  const stop = runner.stop()
  await settled()
  await clock.advance(3000)
  await stop
}

async function record(...names: string[]): Promise<void> {
  const step = incidentStep({ incident: ulid() })
  await outbox.appendEvents([step], () => queue.take([step], { rule: () => ({ actions: names }) }))
}

describe('ActionRunner', () => {
  it('does what waits, in order, and what comes', async () => {
    const desk = new Target()
    for (let i = 0; i < 3; i++) await record('desk')
    const runner = await started({ action: desk, retries: 0 })
    await until(() => counts.actionsSent === 3)
    await record('desk')
    runner.poke()
    await until(() => counts.actionsSent === 4)
    expect(desk.ids).toEqual(desk.ids.toSorted((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1])))
    await until(() => queue.oldest('desk') === undefined)
  })

  it('tries again, ever later, with the same id, then gives up and goes on', async () => {
    const desk = new Target()
    desk.failure = fault('ACTION_FAILED', 'answered 503')
    await record('desk')
    await record('desk')
    await started({ action: desk, retries: 2 })
    await until(() => clock.sleeping.length === 1)
    expect(clock.sleeping).toEqual([1000])
    await clock.advance(1000)
    await until(() => clock.sleeping.length === 1)
    expect(clock.sleeping).toEqual([2000])
    expect(new Set(desk.ids).size).toBe(1)
    await clock.advance(2000)
    await until(() => counts.actionsFailed === 1)
    await until(() => new Set(desk.ids).size === 2)
    desk.failure = undefined
    await until(() => clock.sleeping.length === 1)
    await clock.advance(1000)
    await until(() => counts.actionsSent === 1)
    expect(counts).toEqual({ actionsSent: 1, actionsFailed: 1, actionsDropped: 0 })
  })

  it('keeps a slow action from holding up another', async () => {
    const [desk, siren] = [new Target('desk'), new Target('siren')]
    desk.holding = true
    for (let i = 0; i < 3; i++) await record('desk', 'siren')
    await started({ action: desk, retries: 0 }, { action: siren, retries: 0 })
    await until(() => siren.calls.length === 3)
    expect(desk.calls).toHaveLength(1)
  })

  it('turns an action off whose target is gone, and no other', async () => {
    const [desk, siren] = [new Target('desk'), new Target('siren')]
    desk.failure = fault('ACTION_FAILED', 'answered 410', { details: { gone: true } })
    for (let i = 0; i < 3; i++) await record('desk', 'siren')
    const runner = await started({ action: desk, retries: 5 }, { action: siren, retries: 0 })
    await until(() => counts.actionsDropped === 3)
    await until(() => siren.calls.length === 3)
    await record('desk')
    runner.poke()
    await settled()
    expect(desk.calls).toHaveLength(1)
  })

  it('does after a restart what was under way at the stop, and what waited for another try', async () => {
    const desk = new Target()
    desk.holding = true
    await record('desk')
    const runner = await started({ action: desk, retries: 3 })
    await until(() => desk.calls.length === 1)
    await stopped(runner)
    expect(counts).toMatchObject({ actionsSent: 0, actionsFailed: 0 })

    desk.holding = false
    desk.failure = fault('ACTION_FAILED', 'answered 503')
    const second = await started({ action: desk, retries: 3 })
    await until(() => clock.sleeping.length === 1)
    await second.stop()
    desk.failure = undefined
    await started({ action: desk, retries: 3 })
    await until(() => counts.actionsSent === 1)
    expect(new Set(desk.ids).size).toBe(1)
  })

  it('lets what is under way finish at the stop', async () => {
    const desk = new Target()
    let finish = () => {}
    desk.deliver = async delivery => {
      desk.calls.push(delivery)
      await new Promise<void>(resolve => {
        finish = resolve
      })
    }
    await record('desk')
    const runner = await started({ action: desk, retries: 0 })
    await until(() => desk.calls.length === 1)
    const stop = runner.stop()
    finish()
    await stop
    expect(counts.actionsSent).toBe(1)
    expect(queue.oldest('desk')).toBeUndefined()
  })

  it('drops what waits for actions that are gone from the settings', async () => {
    await record('desk')
    queue = new ActionQueue({
      outbox,
      actions: [],
      device: { site: 'site', node: 'node' },
      onDrop: () => {},
    })
    await started()
    expect(counts.actionsDropped).toBe(1)
  })
})
