import { describe, expect, test } from 'vitest'
import { resultOf } from '../../dashboard/src/command-result.ts'
import { differences, readSettings, settingsText } from '../../dashboard/src/config-text.ts'
import type { DeviceCommand } from '../../dashboard/src/fleet-api.ts'

describe('settings as text', () => {
  test('are read back as they were written', () => {
    const settings = { log: { level: 'debug' }, cameras: [{ name: 'gate', fps: 2 }] }
    expect(readSettings(settingsText(settings))).toEqual({ settings })
  })

  test.each(['', '{', '[]', '"text"', 'null', '3'])('%j is a fault, not a request', text => {
    expect(readSettings(text)).toHaveProperty('fault')
  })
})

describe('what is desired and not in force', () => {
  test('is named by its path; what the device says besides does not count', () => {
    const reported = { log: { level: 'info', format: 'json' }, thumbnails: 'all' }
    expect(differences({ log: { level: 'debug' }, rules: { group: 'night' } }, reported)).toEqual([
      { path: 'log.level', desired: '"debug"', reported: '"info"' },
      { path: 'rules', desired: '{"group":"night"}', reported: undefined },
    ])
  })

  test('lists are compared as a whole, defaults of the device apart', () => {
    const desired = { cameras: [{ name: 'gate', fps: 2 }] }
    expect(differences(desired, { cameras: [{ fps: 2, name: 'gate', px: 640 }] })).toEqual([])
    expect(differences(desired, { cameras: [{ name: 'gate', fps: 1 }] })).toHaveLength(1)
    expect(differences(desired, { cameras: [] })).toHaveLength(1)
  })

  test('a name that every object has is not taken for a setting', () => {
    expect(differences({ constructor: 1 }, {})).toHaveLength(1)
  })
})

describe('the result of a command', () => {
  const command = (name: string, result: unknown): DeviceCommand => ({
    id: 'c1',
    command: name,
    args: {},
    actor: 'local',
    issuedAt: '2026-01-01T00:00:00Z',
    expiresAt: '2026-01-01T00:05:00Z',
    status: 'done',
    replies: [{ v: 1, id: 'c1', status: 'done', at: 0, ...(result === undefined ? {} : { result }) }],
  })

  test('is a picture, a table or a text', () => {
    expect(resultOf(command('snapshot', { capturedAt: 0, jpeg: 'AA==' }))).toMatchObject({
      kind: 'picture',
      url: 'data:image/jpeg;base64,AA==',
    })
    const finding = { group: 'Hub', name: 'Broker', mark: 'ok', text: 'connected' }
    expect(resultOf(command('doctor', { ok: true, findings: [finding] }))).toEqual({
      kind: 'findings',
      findings: [{ name: 'Broker', mark: 'ok', detail: 'connected' }],
    })
    expect(resultOf(command('collect-logs', { lines: ['a', 'b'] }))).toEqual({ kind: 'text', text: 'a\nb' })
    expect(resultOf(command('rotate-credential', undefined))).toBeUndefined()
  })

  test('of another shape than expected is shown as it is', () => {
    expect(resultOf(command('snapshot', { jpeg: 7 }))).toMatchObject({ kind: 'text' })
    expect(resultOf(command('doctor', null))).toEqual({ kind: 'text', text: 'null' })
    expect(resultOf(command('doctor', { findings: [null] }))).toMatchObject({ kind: 'findings' })
  })
})
