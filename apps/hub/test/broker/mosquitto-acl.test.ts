import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLog, nodeTopic, rulesTopic, systemClock } from '@sightline/core'
import { openBroker } from '@sightline/hub/broker/open-broker.js'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ADDRESS, batchOf } from '../ingest/messages.ts'
import { hasMosquitto, Mosquitto } from '../support/mosquitto.ts'
import { MQTT_LIMITS } from '../support/mqtt-settings.ts'

const ACL = fileURLToPath(new URL('../../../../deploy/mosquitto/sightline.acl', import.meta.url))
const PASSWD = '/usr/bin/mosquitto_passwd'
const MQTT = { host: '127.0.0.1', port: 0, maxPacketBytes: 2 ** 20, maxConnections: 50, ...MQTT_LIMITS }
const HUB = 'sightline-hub'
const DEVICE = 'plant~dock'
const log = createLog({ name: 'test', level: 'silent' })

const until = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 20 })

describe.skipIf(!hasMosquitto || !existsSync(PASSWD))('the access list for mosquitto', () => {
  const mosquitto = new Mosquitto()
  const taken: string[] = []
  let dir = ''
  let device: MqttClient
  let link: ReturnType<typeof openBroker>

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'acl-'))
    const passwords = join(dir, 'passwd')
    writeFileSync(passwords, '', { mode: 0o600 })
    for (const user of [HUB, DEVICE]) execFileSync(PASSWD, ['-b', passwords, user, 'secret'])
    writeFileSync(join(dir, 'password'), 'secret\n')
    await mosquitto.start('allow_anonymous false\npassword_file DIR/passwd\nacl_file DIR/acl', {
      passwd: readFileSync(passwords, 'utf8'),
      acl: readFileSync(ACL, 'utf8'),
    })
    link = openBroker({
      settings: {
        mqtt: MQTT,
        broker: {
          access: 'auto',
          clientId: HUB,
          url: mosquitto.url,
          username: HUB,
          passwordFile: join(dir, 'password'),
        },
      },
      ingest: {
        accept: async topic => {
          taken.push(topic)
        },
      },
      clock: systemClock,
      log,
    })
    await link.start()
    await until(() => expect(link.clients).toBe(5))
    device = await connectAsync(mosquitto.url, {
      clientId: DEVICE,
      username: DEVICE,
      password: 'secret',
      protocolVersion: 4,
      reconnectPeriod: 0,
    })
  })
  afterEach(async () => {
    device.end(true)
    await link.stop()
    await mosquitto.remove()
    rmSync(dir, { recursive: true })
  })

  it('lets a device speak as itself alone', async () => {
    const own = nodeTopic('emb', ADDRESS)
    for (const topic of [nodeTopic('emb', { site: 'plant', node: 'other' }), nodeTopic('ack', ADDRESS), own])
      await device.publishAsync(topic, batchOf([1]), { qos: 1 })
    await until(() => expect(taken).toContain(own))
    expect(taken).toEqual([own])
  })

  it('lets it hear what is for it, from the hub', async () => {
    const rules = rulesTopic('plant', 'all', 'clip:0123456789ab')
    const heard: string[] = []
    device.on('message', topic => heard.push(topic))
    await device.subscribeAsync([nodeTopic('ack', ADDRESS), rules], { qos: 1 })
    await device.subscribeAsync('sightline/v1/#', { qos: 1 }).catch(() => {})
    const publish = (topic: string) =>
      link.publish({ topic, payload: Buffer.from('x'), qos: 1, retain: false })
    await publish(nodeTopic('ack', { site: 'plant', node: 'other' }))
    await publish(nodeTopic('ack', ADDRESS))
    await publish(rules)
    await until(() => expect(heard).toContain(rules))
    expect(new Set(heard)).toEqual(new Set([nodeTopic('ack', ADDRESS), rules]))
  })

  it('lets nobody in without a password', async () => {
    await expect(
      connectAsync(mosquitto.url, { clientId: DEVICE, protocolVersion: 4, reconnectPeriod: 0 }),
    ).rejects.toThrow(/Not authorized/)
  })
})
