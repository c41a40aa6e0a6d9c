import {
  nodeTopic,
  parseRulesTopic,
  parseUplinkTopic,
  rulesTopic,
  uplinkFilter,
} from '@sightline/core/protocol/topics.js'
import { describe, expect, it } from 'vitest'

describe('topics', () => {
  it('builds and parses an uplink topic', () => {
    const topic = nodeTopic('emb', { site: 'plant-2', node: 'dock.3' })
    expect(topic).toBe('sightline/v1/plant-2/emb/dock.3')
    expect(parseUplinkTopic(topic)).toEqual({ site: 'plant-2', node: 'dock.3', type: 'emb' })
    expect(uplinkFilter('emb')).toBe('sightline/v1/+/emb/+')
  })

  it('addresses rules to a group and a vector space', () => {
    expect(rulesTopic('s', 'all', 'mini:0123456789ab')).toBe('sightline/v1/s/rules/all/mini:0123456789ab')
    expect(() => rulesTopic('s', 'all', 'mini/#')).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    )
  })

  it('reads a rules topic, and no filter', () => {
    const [site, group, fingerprint] = ['s', 'all', 'mini:0123456789ab']
    expect(parseRulesTopic(rulesTopic(site, group, fingerprint))).toEqual({ site, group, fingerprint })
    for (const filter of [
      'sightline/v1/s/rules/all/+',
      'sightline/v1/s/rules/#',
      'sightline/v1/+/rules/all/x:0123456789ab',
    ])
      expect(parseRulesTopic(filter)).toBeUndefined()
  })

  it.each(['a/b', '+', '#', '', '$SYS', 'x'.repeat(65), 'ä'])('refuses the name %j', site => {
    expect(() => nodeTopic('state', { site, node: 'n' })).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    )
  })

  it.each([
    'sightline/v1/s/ack/n',
    'sightline/v2/s/emb/n',
    'sightline/v1/s/emb',
    'sightline/v1/s/emb/n/x',
    '$SYS/x',
    '',
  ])('does not take %j for an uplink topic', topic => expect(parseUplinkTopic(topic)).toBeUndefined())
})
