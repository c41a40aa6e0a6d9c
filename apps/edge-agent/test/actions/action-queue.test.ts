import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ActionQueue, type PendingKey } from '@sightline/edge-agent/actions/action-queue.js'
import type { IncidentStep } from '@sightline/edge-agent/moderation/incidents.js'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { frameRecord, incidentStep } from '../support/records.ts'

const ACTIONS = [
  { name: 'desk', phases: ['new', 'end'], thumbnail: true },
  { name: 'siren', phases: ['new', 'update', 'end'], thumbnail: false },
] as const
const RULES = { rule: (id: string) => (id === 'fire' ? { actions: ['desk', 'lamp', 'desk'] } : undefined) }

let dir = ''
let outbox: Outbox
let dropped: PendingKey[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'action-queue-'))
  dropped = []
  outbox = await opened()
})
afterEach(async () => {
  await outbox.close()
  await rm(dir, { recursive: true, force: true })
})

function opened(): Promise<Outbox> {
  const limits = { maxBytes: 1e9, minFreeDiskBytes: 0 }
  return Outbox.open({ dir, limits, clock: new FakeClock(), log: quiet, newId: ulid })
}

function queueOf(actions: readonly (typeof ACTIONS)[number][] = ACTIONS): ActionQueue {
  return new ActionQueue({
    outbox,
    actions: actions.map(action => ({ ...action, phases: [...action.phases] })),
    device: { site: 'site', node: 'node' },
    onDrop: key => dropped.push(key),
  })
}

async function record(
  queue: ActionQueue,
  change: Partial<IncidentStep> = {},
  rules: typeof RULES | undefined = RULES,
) {
  const step = incidentStep(change)
  await outbox.appendEvents([step], () => queue.take([step], rules))
}

/** Types of what waits, oldest first; takes it out. */
async function waiting(queue: ActionQueue, action: string): Promise<string[]> {
  const types: string[] = []
  for (let next = queue.oldest(action); next !== undefined; next = queue.oldest(action)) {
    types.push(next.delivery.notice.type)
    await queue.remove(next)
  }
  return types
}

describe('ActionQueue', () => {
  it('takes the phases that an action wants, once each', async () => {
    const queue = queueOf()
    for (const phase of ['new', 'update', 'end'] as const) await record(queue, { phase })
    expect(await waiting(queue, 'desk')).toEqual(['incident.new', 'incident.end'])
    expect(await waiting(queue, 'siren')).toEqual([])
    expect(await waiting(queue, 'lamp')).toEqual([])
  })

  it('tells the end to whoever heard of the beginning, though the rule is gone', async () => {
    const queue = queueOf()
    await record(queue)
    await record(queue, { phase: 'end' }, undefined)
    expect(await waiting(queue, 'desk')).toEqual(['incident.new', 'incident.end'])
    await record(queue, { phase: 'end' })
    expect(await waiting(queue, 'desk')).toEqual([])
  })

  it('has everything after a restart, and gives no id twice', async () => {
    const before = queueOf()
    await record(before)
    const first = before.oldest('desk')!
    await before.remove(first)
    await record(before, { phase: 'end' })
    await outbox.close()
    outbox = await opened()
    const after = queueOf()
    const second = after.oldest('desk')!
    expect(second.delivery.notice.type).toBe('incident.end')
    expect(second.delivery.id).not.toBe(first.delivery.id)
    expect(after.has(first)).toBe(false)
    expect(after.has(second)).toBe(true)
  })

  it('keeps the newest thousand of each action', async () => {
    const queue = queueOf()
    const steps = Array.from({ length: 1003 }, (_, i) => incidentStep({ incident: `I${i}`, frames: i + 1 }))
    await outbox.appendEvents(steps, () => queue.take(steps, RULES))
    expect(dropped.map(([name]) => name)).toEqual(['desk', 'desk', 'desk'])
    expect(queue.oldest('desk')!.delivery.notice.data.incident.frames).toBe(4)
    expect(await queue.clear('desk')).toBe(1000)
  })

  it('sends the best frame along while it is there', async () => {
    const queue = queueOf()
    const thumbnail = Buffer.from('jpeg')
    await outbox.append(frameRecord({ thumbnail }), seq => {
      const step = incidentStep({ bestFrame: seq })
      queue.take([step], RULES)
      return [step]
    })
    expect(queue.oldest('desk')!.delivery.notice.data.thumbnail).toBe(thumbnail.toString('base64'))
    await queue.clear('desk')
    await record(queue, { bestFrame: 99 })
    expect(queue.oldest('desk')!.delivery.notice.data).not.toHaveProperty('thumbnail')
    await queue.clear('desk')
    await outbox.append(frameRecord({ thumbnail: Buffer.alloc(64 * 1024 + 1) }), seq => {
      queue.take([incidentStep({ bestFrame: seq })], RULES)
      return []
    })
    expect(queue.oldest('desk')!.delivery.notice.data).not.toHaveProperty('thumbnail')
  })

  it('says what rules name that it does not have, and forgets what is configured no more', async () => {
    const queue = queueOf()
    expect(queue.missing([{ actions: ['desk', 'lamp'] }, { actions: ['bell', 'lamp'] }])).toEqual([
      'bell',
      'lamp',
    ])
    await record(queue)
    expect(await queue.clear()).toBe(0)
    const smaller = queueOf([ACTIONS[1]])
    expect(await smaller.clear()).toBe(1)
    expect(queue.oldest('desk')).toBeUndefined()
  })
})

describe('ActionQueue under SIGKILL', () => {
  it('has a delivery for every event that was recorded, and no other', { timeout: 60_000 }, async () => {
    await outbox.close()
    const script = fileURLToPath(new URL('./crasher.mjs', import.meta.url))
    const durable: string[] = []
    for (const enough of [1, 25, 8]) {
      const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
      let lines = 0
      createInterface({ input: child.stdout }).on('line', line => {
        durable.push(line)
        if (++lines === enough) child.kill('SIGKILL')
      })
      await once(child, 'close')
    }
    outbox = await opened()
    const queue = queueOf()
    const delivered: string[] = []
    for (let next = queue.oldest('desk'); next !== undefined; next = queue.oldest('desk')) {
      delivered.push(next.delivery.notice.data.incident.id)
      await queue.remove(next)
    }
    const recorded: string[] = []
    for (let from = 1; from < outbox.next; from++) {
      const event = outbox.event({ from, below: from + 1, except: new Set() })
      if (event !== undefined) recorded.push(event.step.incident)
    }
    expect(delivered).toEqual(recorded)
    expect(durable.filter(id => !delivered.includes(id))).toEqual([])
  })
})
