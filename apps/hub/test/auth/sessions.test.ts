import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, createLog, isFault } from '@sightline/core'
import { Passwords } from '@sightline/hub/auth/passwords.js'
import { createPeople, type People } from '@sightline/hub/auth/people.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { AuditLog } from '@sightline/hub/store/audit-log.js'
import { type LmdbRecordStore, openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const PASSWORD = 'correct horse battery'
const log = createLog({ name: 'test', level: 'silent' })
let dir = ''
let clock: FakeClock
let store: LmdbRecordStore
let audit: AuditLog
let people: People

/** Passwords cost what they cost a hub where that is the point, and next to nothing elsewhere. */
const CHEAP = { log2N: 10, r: 8, p: 1 }
function gather(cost?: typeof CHEAP): void {
  const settings = checkConfig(HubSettings, {}, 'test')
  const { environment } = store
  const passwords = new Passwords(cost)
  people = createPeople({ settings, environment, audit, context: { clock, log }, passwords })
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'people-'))
  clock = new FakeClock()
  store = await openLmdbStore({ dir, clock, log, minFreeBytes: 0 })
  audit = new AuditLog({ environment: store.environment, clock, log })
  gather(CHEAP)
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

const add = (name: string, role: 'viewer' | 'operator' | 'admin' = 'viewer') =>
  people.users.add({ name, password: PASSWORD, role, scope: null }, { actor: 'test' })
const codeOf = (job: Promise<unknown>) =>
  job.then(
    () => undefined,
    (error: unknown) => (isFault(error) ? error.code : String(error)),
  )
const actions = () => audit.list({ limit: 100 }).map(({ action }) => action)

describe('sessions', () => {
  it('keep the hash of what the cookie holds', async () => {
    await add('ann')
    const { secret } = await people.sessions.signIn('ann', PASSWORD, '::1')
    expect(people.sessions.resume(secret)?.user.name).toBe('ann')
    const stored = JSON.stringify([...store.environment.root.openDB('user-sessions', {}).getRange()])
    expect(stored).not.toContain(secret)
    expect(JSON.stringify(people.users.get('ann'))).not.toContain(PASSWORD)
  })

  it('end when they are not used for twelve hours, or after a week of use', async () => {
    await add('ann')
    const idle = await people.sessions.open('ann')
    await clock.advance(12 * 3_600_000 + 1)
    expect(people.sessions.resume(idle.secret)).toBeUndefined()
    const used = await people.sessions.open('ann')
    for (let hours = 0; hours < 168; hours += 6) {
      expect(people.sessions.resume(used.secret), `${hours} h`).toBeDefined()
      // The note that it was used is written beside the request; this waits for it.
      await people.sessions.open('ann')
      await clock.advance(6 * 3_600_000)
    }
    await clock.advance(1)
    expect(people.sessions.resume(used.secret)).toBeUndefined()
  })

  it('end here, everywhere, with the password, and with the user', async () => {
    await add('ann')
    const [a, b, c] = [
      await people.sessions.open('ann'),
      await people.sessions.open('ann'),
      await people.sessions.open('ann'),
    ]
    await people.sessions.end(a, { everywhere: false })
    expect(people.sessions.resume(a.secret)).toBeUndefined()
    await people.users.change(
      'ann',
      { password: 'another long secret' },
      { actor: 'user:ann', keepSession: c.session.hash },
    )
    expect(people.sessions.resume(b.secret)).toBeUndefined()
    expect(people.sessions.resume(c.secret)).toBeDefined()
    const d = await people.sessions.open('ann')
    await people.sessions.end(c, { everywhere: true })
    expect(people.sessions.holds(d.session.hash)).toBe(false)
    const e = await people.sessions.open('ann')
    await people.users.remove('ann', 'test')
    await add('ann')
    expect(people.sessions.resume(e.secret)).toBeUndefined()
  })

  it('are twenty of one user at most', async () => {
    await add('ann')
    const first = await people.sessions.open('ann')
    for (let i = 0; i < 20; i++) {
      await clock.advance(1)
      await people.sessions.open('ann')
    }
    expect(people.sessions.resume(first.secret)).toBeUndefined()
  })

  it('refuse an unknown user as they refuse a wrong password, and keep no word of who that was', async () => {
    await add('ann')
    expect(await codeOf(people.sessions.signIn('ann', 'wrong', '::1'))).toBe('SIGN_IN_REFUSED')
    expect(await codeOf(people.sessions.signIn('my-password-by-mistake', 'x', '::1'))).toBe('SIGN_IN_REFUSED')
    const subjects = audit.list({ limit: 2 }).map(({ subject }) => subject)
    expect(subjects).toEqual(['(unknown)', 'ann'])
  })

  it('take an unknown user as long as a known one, in processor time', async () => {
    gather()
    await add('ann')
    const cost = async (name: string) => {
      const before = process.cpuUsage()
      await codeOf(people.sessions.signIn(name, 'wrong', '::1'))
      const { user } = process.cpuUsage(before)
      return user
    }
    // The first unknown one also makes the hash that unknown ones are compared with.
    await cost('warm-up')
    const [known, unknown] = [await cost('ann'), await cost('nobody')]
    expect(unknown / known).toBeGreaterThan(0.5)
    expect(unknown / known).toBeLessThan(2)
  })

  it('rest on password hashes as dear as OWASP asks; cheaper ones of before go on', async () => {
    const cheap = await new Passwords(CHEAP).hash(PASSWORD)
    const passwords = new Passwords()
    expect(await passwords.hash(PASSWORD)).toMatch(/^scrypt\$17\$8\$1\$/)
    expect(await passwords.matches(PASSWORD, cheap)).toBe(true)
    expect(await passwords.matches('another one', cheap)).toBe(false)
  })

  it('make whoever fails too often wait', async () => {
    for (let i = 0; i < 11; i++) await codeOf(people.sessions.signIn('ann', 'wrong', '::1'))
    expect(await codeOf(people.sessions.signIn('ann', 'wrong', '::1'))).toBe('API_RATE_LIMITED')
    // Another address is not kept out by it.
    expect(await codeOf(people.sessions.signIn('ann', 'wrong', '192.0.2.1'))).toBe('SIGN_IN_REFUSED')
  })
})

describe('users', () => {
  it('once made, close the hub, also when the last is gone', async () => {
    expect(people.signInRequired()).toBe(false)
    await add('ann')
    expect(people.signInRequired()).toBe(true)
    await people.users.remove('ann', 'test')
    expect(people.signInRequired()).toBe(true)
    expect(people.setup.issue()).toBeUndefined()
  })

  it('keep one admin', async () => {
    await add('ann', 'admin')
    expect(await codeOf(people.users.remove('ann', 'test'))).toBe('LAST_ADMIN')
    expect(await codeOf(people.users.change('ann', { role: 'viewer' }, { actor: 'test' }))).toBe('LAST_ADMIN')
  })

  it('can be kept out and let in again, the last admin excepted', async () => {
    await add('ann', 'admin')
    const change = (name: string, disabled: boolean) =>
      people.users.change(name, { disabled }, { actor: 'test' })
    expect(await codeOf(change('ann', true))).toBe('LAST_ADMIN')
    await add('bob', 'admin')
    const open = await people.sessions.open('bob')
    expect((await change('bob', true)).disabledAt).toBe(clock.now())
    expect(people.sessions.resume(open.secret)).toBeUndefined()
    expect(await codeOf(people.sessions.signIn('bob', PASSWORD, '::1'))).toBe('SIGN_IN_REFUSED')
    // Nobody who cannot sign in counts as the other admin.
    expect(await codeOf(people.users.remove('ann', 'test'))).toBe('LAST_ADMIN')
    await change('bob', false)
    expect(await codeOf(people.sessions.signIn('bob', PASSWORD, '::1'))).toBeUndefined()
    expect(actions().filter(action => action.endsWith('abled'))).toEqual(['user.enabled', 'user.disabled'])
  })

  it('have a password worth the name', async () => {
    for (const password of ['short', 'aaaaaaaaaaaaaaaa', 'ann'.repeat(100)])
      expect(
        await codeOf(
          people.users.add({ name: 'ann', password, role: 'viewer', scope: null }, { actor: 'test' }),
        ),
      ).toBe('PASSWORD_WEAK')
  })

  it('are limited only as viewers, by globs that stop at a slash', async () => {
    const limit = (role: 'viewer' | 'operator', scope: string[]) =>
      people.users.add({ name: 'bob', password: PASSWORD, role, scope }, { actor: 'test' })
    expect(await codeOf(limit('operator', ['a']))).toBe('API_BAD_REQUEST')
    expect(await codeOf(limit('viewer', ['a/b/c/d']))).toBe('API_BAD_REQUEST')
    expect(await codeOf(limit('viewer', []))).toBe('API_BAD_REQUEST')
    await limit('viewer', ['plant-*', 'x/*/yard'])
  })

  it('begin with a link that works once', async () => {
    const token = people.setup.issue()!
    const first = { name: 'ann', password: PASSWORD }
    expect(await codeOf(people.setup.redeem('wrong', first))).toBe('SETUP_REFUSED')
    expect(await codeOf(people.setup.redeem(token, { name: 'ann', password: 'short' }))).toBe('PASSWORD_WEAK')
    expect((await people.setup.redeem(token, first)).role).toBe('admin')
    expect(await codeOf(people.setup.redeem(token, { ...first, name: 'bob' }))).toBe('SETUP_REFUSED')
  })
})

describe('API keys', () => {
  it('are kept as hashes, expire, and are revoked', async () => {
    const grant = { role: 'viewer', scope: ['plant'] } as const
    const { key, secret } = await people.keys.issue({ name: 'grafana', lifeMs: 1000, ...grant }, 'user:ann')
    expect(secret).toMatch(/^slk_[\w-]{43}$/)
    expect(JSON.stringify(people.keys.list())).not.toContain(secret)
    expect(people.keys.find(secret)).toMatchObject({ id: key.id, ...grant })
    expect(people.keys.find(`${secret}x`)).toBeUndefined()
    await clock.advance(1001)
    expect(people.keys.find(secret)).toBeUndefined()
    const other = await people.keys.issue({ name: 'x', ...grant }, 'user:ann')
    await people.keys.revoke(other.key.id, 'user:ann')
    expect(people.keys.find(other.secret)).toBeUndefined()
    expect(actions()).toEqual(['key.revoked', 'key.issued', 'key.issued'])
  })
})
