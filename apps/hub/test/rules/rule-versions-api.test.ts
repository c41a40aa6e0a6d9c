import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestHub } from '../moderation/hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await TestHub.start()
})
afterAll(() => hub?.stop())

const boat = { id: 'boat', name: 'Boat', positives: ['a boat on a lake'] }
const get = async (path: string) => (await hub.call(`/api/v1/${path}`)).body

describe('versions', () => {
  it('tell who changed what, show the rules as they were and put them in force again', async () => {
    const { version, rules } = await get('rules')
    await hub.post('/api/v1/rules', boat)
    await hub.post('/api/v1/rules/boat', { ...boat, on: 0.9 }, 'PUT')
    await hub.call('/api/v1/rules/boat', { method: 'DELETE' })
    const { changes } = await get('rules/history?limit=3')
    expect(changes).toMatchObject([
      { version: version + 3, actor: 'local', removed: ['boat'], restored: null },
      { version: version + 2, changed: ['boat'] },
      { version: version + 1, added: ['boat'] },
    ])
    expect((await get(`rules/versions/${version + 2}`)).rules.at(-1)).toMatchObject({ id: 'boat', on: 0.9 })
    const restored = await hub.call(`/api/v1/rules/versions/${version + 2}/restore`, { method: 'POST' })
    expect(restored.body).toMatchObject({ version: version + 4 })
    expect((await get('rules')).rules).toEqual((await get(`rules/versions/${version + 2}`)).rules)
    await hub.call(`/api/v1/rules/versions/${version}/restore`, { method: 'POST' })
    expect((await get('rules')).rules).toEqual(rules)
    expect((await get('rules/history?limit=1')).changes[0]).toMatchObject({
      restored: version,
      removed: ['boat'],
    })
    expect((await hub.call('/api/v1/rules/versions/9999')).status).toBe(404)
  })
})

describe('rule packs', () => {
  it('are listed with what the model cannot do, and added switched off', async () => {
    const { packs } = await get('rule-packs')
    expect(packs.map(({ name }: { name: string }) => name)).toEqual([
      'brand-safety',
      'public-safety',
      'workplace-safety',
    ])
    for (const { rules, warnings } of packs) {
      expect(
        rules.every(
          ({ rule, note }: never) => (rule as { enabled: boolean }).enabled === false && note !== '',
        ),
      ).toBe(true)
      expect(warnings.length).toBeGreaterThan(0)
    }
    const before = (await get('rules')).version
    const added = await hub.post('/api/v1/rule-packs/workplace-safety/add', {})
    expect(added.body).toMatchObject({
      version: before + 1,
      added: ['no-helmet', 'no-safety-vest', 'open-fire', 'smoke', 'blocked-exit'],
      skipped: [],
    })
    expect(added.body.warnings.map(({ rule }: { rule: string }) => rule)).toContain('smoke')
    const again = await hub.post('/api/v1/rule-packs/workplace-safety/add', {
      enabled: true,
      rules: ['smoke'],
    })
    expect(again.body).toMatchObject({ version: before + 1, added: [], skipped: ['smoke'] })
    expect((await get('rules/smoke')).rule.enabled).toBe(false)
    const one = await hub.post('/api/v1/rule-packs/public-safety/add', { enabled: true, rules: ['crowd'] })
    expect(one.body.added).toEqual(['crowd'])
    expect((await get('rules/crowd')).rule.enabled).toBe(true)
    expect((await hub.post('/api/v1/rule-packs/none/add', {})).status).toBe(404)
    expect((await hub.post('/api/v1/rule-packs/public-safety/add', { rules: ['x'] })).status).toBe(400)
  })
})
