// Records incidents with their deliveries for ever and prints each id once it is durable, until it is killed.
import { writeSync } from 'node:fs'
import { createLog, systemClock } from '@sightline/core'
import { ActionQueue } from '@sightline/edge-agent/actions/action-queue.js'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'

const outbox = await Outbox.open({
  dir: process.argv[2],
  limits: { maxBytes: 1e9, minFreeDiskBytes: 0 },
  clock: systemClock,
  log: createLog({ name: 'crasher', level: 'silent' }),
  newId: ulid,
})
const queue = new ActionQueue({
  outbox,
  actions: [{ name: 'desk', phases: ['new'], thumbnail: false }],
  device: { site: 'site', node: 'node' },
  onDrop: () => {},
})
const rules = { rule: () => ({ actions: ['desk'] }) }

for (;;) {
  const at = Date.now()
  const step = {
    phase: 'new',
    incident: ulid(),
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'high',
    camera: 'gate',
    at,
    startedAt: at,
    score: 0.9,
    peakScore: 0.9,
    frames: 1,
    bestFrame: 1,
  }
  await outbox.appendEvents([step], () => queue.take([step], rules))
  writeSync(1, `${step.incident}\n`)
}
