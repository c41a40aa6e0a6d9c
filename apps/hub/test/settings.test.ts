import { checkConfig } from '@sightline/core'
import { checkHubSettings, HubSettings } from '@sightline/hub/settings.js'
import { describe, expect, it } from 'vitest'

const check = (document: object) => checkHubSettings(checkConfig(HubSettings, document, 'test'))

describe('settings of the hub', () => {
  it('leave the broker open on loopback only, and not behind a proxy', () => {
    const open = { broker: { access: 'open' } }
    expect(check(open).broker.access).toBe('open')
    expect(check({ ...open, mqtt: { host: '::1' } }).broker.access).toBe('open')
    for (const more of [
      { mqtt: { host: '0.0.0.0' } },
      { mqtt: { host: '127.evil.example' } },
      { tls: { terminated: true } },
    ])
      expect(() => check({ ...open, ...more })).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          message: expect.stringContaining('broker.access'),
        }),
      )
  })

  it('name a certificate with its key, and say one thing about TLS', () => {
    for (const tls of [{ certFile: 'a.pem' }, { keyFile: 'a.pem' }, { mode: 'always', terminated: true }])
      expect(() => check({ tls })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})
