import { nodeTopic, parseEnrollToken } from '@sightline/core'
import { deviceId } from '@sightline/hub/fleet/device-id.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'
import { TestFleet, URLS } from '../support/fleet.ts'

const DOCK = { site: 'plant', node: 'dock' }
const MINUTE_MS = 60_000

let clock: FakeClock
let fleet: TestFleet
beforeEach(async () => {
  clock = new FakeClock()
  fleet = await TestFleet.start(clock)
})
afterEach(() => fleet.stop())

const login = (secret: string) => fleet.logins.login(deviceId(DOCK), secret)

describe('enrolment', () => {
  it('gives a credential for a token, once', async () => {
    const { token, expiresAt } = await fleet.desk.issue(DOCK, { actor: 'test' })
    expect(expiresAt - clock.now()).toBe(15 * MINUTE_MS)
    const credential = await fleet.desk.enroll({ token, agent: '1' }, URLS)
    expect(credential).toMatchObject({ v: 1, ...DOCK, ...URLS, ca: null, issuedAt: clock.now() })
    expect(login(credential.secret)).toMatchObject(DOCK)
    await expect(fleet.desk.enroll({ token, agent: '1' }, URLS)).rejects.toMatchObject({
      code: 'ENROLL_REFUSED',
    })
  })

  it('keeps neither token nor secret', async () => {
    const { token } = await fleet.desk.issue(DOCK, { actor: 'test' })
    const open = JSON.stringify(fleet.desk.open())
    const { secret } = await fleet.desk.enroll({ token, agent: '1' }, URLS)
    const kept = JSON.stringify([fleet.registry.devices(), fleet.audit.list({ limit: 10 }), open])
    expect(kept).not.toContain(secret)
    expect(kept).not.toContain(parseEnrollToken(token)!.secret)
  })

  it('lets one of many win who come with the same token', async () => {
    const { token } = await fleet.desk.issue(DOCK, { actor: 'test' })
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, () => fleet.desk.enroll({ token, agent: '1' }, URLS)),
    )
    const won = tries.filter(each => each.status === 'fulfilled')
    expect(won).toHaveLength(1)
    expect(login(won[0]!.value.secret)).toBeDefined()
  })

  it('takes no token that has expired, was withdrawn or never was', async () => {
    const late = await fleet.desk.issue(DOCK, { actor: 'test', lifeMs: 1000 })
    await clock.advance(1000)
    const withdrawn = await fleet.desk.issue(DOCK, { actor: 'test' })
    expect(fleet.desk.open().map(({ id }) => id)).toEqual([withdrawn.id])
    await fleet.desk.withdraw(withdrawn.id, 'test')
    const never = `slt1.${'A'.repeat(43)}`
    for (const token of [late.token, withdrawn.token, never, 'not a token at all'])
      await expect(fleet.desk.enroll({ token, agent: '1' }, URLS)).rejects.toMatchObject({
        code: 'ENROLL_REFUSED',
      })
    await expect(fleet.desk.withdraw(withdrawn.id, 'test')).rejects.toMatchObject({ code: 'API_NOT_FOUND' })
  })

  it('refuses names and times that are none', async () => {
    for (const address of [
      { site: 'a/b', node: 'n' },
      { site: 's', node: '+' },
    ])
      await expect(fleet.desk.issue(address, { actor: 'test' })).rejects.toMatchObject({
        code: 'API_BAD_REQUEST',
      })
    for (const lifeMs of [0, Number.NaN, 8 * 86_400_000])
      await expect(fleet.desk.issue(DOCK, { actor: 'test', lifeMs })).rejects.toMatchObject({
        code: 'API_BAD_REQUEST',
      })
  })

  it('ends the former credential when a device enrols again', async () => {
    const first = await fleet.enrol(DOCK)
    await fleet.desk.revoke(DOCK, 'test')
    const second = await fleet.enrol(DOCK)
    expect(login(first.secret)).toBeUndefined()
    expect(login(second.secret)).toBeDefined()
  })
})

describe('credentials', () => {
  it('end with the revocation', async () => {
    const { secret } = await fleet.enrol(DOCK)
    await fleet.desk.revoke(DOCK, 'test')
    expect(login(secret)).toBeUndefined()
    await expect(fleet.desk.askRotation(DOCK, 'test')).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' })
    await expect(fleet.desk.revoke({ site: 'plant', node: 'x' }, 'test')).rejects.toMatchObject({
      code: 'DEVICE_UNKNOWN',
    })
  })

  it('rotate: while the new one is not used, the former works for seven days', async () => {
    const first = await fleet.enrol(DOCK)
    const second = await fleet.desk.rotate(login(first.secret)!, URLS)
    await clock.advance(7 * 24 * 60 * MINUTE_MS - 1)
    expect(login(first.secret)).toBeDefined()
    await clock.advance(1)
    expect(login(first.secret)).toBeUndefined()
    expect(login(second.secret)).toBeDefined()
  })

  it('rotate: the former ends when the new one is used', async () => {
    const first = await fleet.enrol(DOCK)
    const second = await fleet.desk.rotate(login(first.secret)!, URLS)
    expect(login(second.secret)).toBeDefined()
    await expect.poll(() => login(first.secret)).toBeUndefined()
  })

  it('rotate: a device whose answers are lost is not locked out, nor does its old secret live for ever', async () => {
    const first = await fleet.enrol(DOCK)
    await fleet.desk.rotate(login(first.secret)!, URLS)
    await clock.advance(6 * 24 * 60 * MINUTE_MS)
    const third = await fleet.desk.rotate(login(first.secret)!, URLS)
    expect(login(first.secret)).toBeDefined()
    await clock.advance(24 * 60 * MINUTE_MS)
    expect(login(first.secret)).toBeUndefined()
    expect(login(third.secret)).toBeDefined()
  })

  it('rotate: a device that does not come with its new one is told again after ten minutes', async () => {
    const first = await fleet.enrol(DOCK)
    const device = await fleet.connect(first)
    const told: string[] = []
    device.on('message', (_topic, payload) => told.push(JSON.parse(payload.toString()).command))
    await device.subscribeAsync(nodeTopic('cmd', DOCK), { qos: 1 })
    const second = await fleet.desk.rotate(login(first.secret)!, URLS)
    await clock.advance(10 * MINUTE_MS - 1)
    fleet.live.check()
    await clock.advance(MINUTE_MS)
    fleet.live.check()
    await expect.poll(() => told).toEqual(['rotate-credential'])
    expect(login(second.secret)).toBeDefined()
    await expect.poll(() => fleet.registry.device(DOCK)?.previous).toBeNull()
    await clock.advance(MINUTE_MS)
    fleet.live.check()
    expect(told).toHaveLength(1)
  })

  it('are compared with the device that they are for', async () => {
    const { secret } = await fleet.enrol(DOCK)
    await fleet.enrol({ site: 'plant', node: 'gate' })
    for (const id of ['plant~gate', 'plant~nobody', 'plant', '', 'plant~dock~x', 'other~dock'])
      expect(fleet.logins.login(id, secret)).toBeUndefined()
    expect(fleet.logins.login('plant~dock', '')).toBeUndefined()
  })
})

it('audits every step, newest first, in pages', async () => {
  const { secret } = await fleet.enrol(DOCK)
  await fleet.desk.askRotation(DOCK, 'anna')
  await fleet.desk.rotate(login(secret)!, URLS)
  await fleet.desk.revoke(DOCK, 'anna')
  const entries = fleet.audit.list({ limit: 3 })
  expect(entries.map(({ actor, action, subject }) => [actor, action, subject])).toEqual([
    ['anna', 'device.revoked', 'plant/dock'],
    ['device:plant/dock', 'device.rotated', 'plant/dock'],
    ['anna', 'device.rotation-asked', 'plant/dock'],
  ])
  const rest = fleet.audit.list({ limit: 10, before: entries[2]!.id })
  expect(rest.map(({ action }) => action)).toEqual(['device.enrolled', 'enrolment.issued'])
})
