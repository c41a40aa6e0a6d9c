import { hostname } from 'node:os'
import { checkConfig } from '@sightline/core'
import { hubUrls, hubUrlsElsewhere } from '@sightline/hub/fleet/hub-urls.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { describe, expect, it } from 'vitest'

const listening = (document: object) => ({
  settings: checkConfig(HubSettings, document, 'test'),
  httpPort: 8080,
  mqttPort: 1883,
})
const BEYOND = { http: { host: '0.0.0.0' }, mqtt: { host: '0.0.0.0' } }

describe('addresses for devices', () => {
  it('are those that the device has used', () => {
    expect(hubUrls(listening({}), '127.0.0.1:8080')).toEqual({
      hubUrl: 'http://127.0.0.1:8080',
      brokerUrl: 'mqtt://127.0.0.1:1883',
    })
    expect(hubUrls(listening(BEYOND), '[2001:db8::1]:8080')).toEqual({
      hubUrl: 'https://[2001:db8::1]:8080',
      brokerUrl: 'mqtts://[2001:db8::1]:1883',
    })
    expect(hubUrls(listening(BEYOND), 'localhost:8080').hubUrl).toBe('https://localhost:8080')
  })

  it('are the name of this machine where nothing else is known, or of use elsewhere', () => {
    const own = `https://${hostname()}:8080`
    expect(hubUrls(listening(BEYOND)).hubUrl).toBe(own)
    expect(hubUrls(listening(BEYOND), 'no host at all').hubUrl).toBe(own)
    expect(hubUrlsElsewhere(listening(BEYOND), 'localhost:8080').hubUrl).toBe(own)
    expect(hubUrlsElsewhere(listening(BEYOND), 'hub.example').hubUrl).toBe('https://hub.example')
    expect(hubUrlsElsewhere(listening({}), 'localhost:8080').hubUrl).toBe('http://localhost:8080')
    expect(hubUrls(listening({ http: { host: '::1' } })).hubUrl).toBe('http://[::1]:8080')
  })

  it('are secure behind a proxy that does TLS, and as configured above all', () => {
    expect(hubUrls(listening({ tls: { terminated: true } }), 'hub.example')).toEqual({
      hubUrl: 'https://hub.example',
      brokerUrl: 'mqtts://hub.example:1883',
    })
    const named = {
      http: { publicUrl: 'https://a.example' },
      mqtt: { publicUrl: 'mqtts://b.example:8883' },
    }
    expect(hubUrls(listening(named), 'hub.example')).toEqual({
      hubUrl: 'https://a.example',
      brokerUrl: 'mqtts://b.example:8883',
    })
  })
})
