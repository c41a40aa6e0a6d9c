import { readFile } from 'node:fs/promises'
import {
  encodeJson,
  fault,
  type IncidentEvent,
  type NodeState,
  nodeTopic,
  type ReportedConfig,
  settingsHash,
} from '@sightline/core'
import { connectAsync } from 'mqtt'
import { PASSWORD } from './people.ts'
import type { HubHandle } from './processes.ts'
import { samplePhotos } from './samples.ts'

const SESSION = '01JD0000000000000000000000'
const NODE = { site: 'default', node: 'n1' }
/** Cameras, by the photo that each sees. */
const CAMERAS = ['lighthouse', 'fireworks', 'tabby-cat-face']

export interface Furnished {
  readonly url: string
  readonly frameId: string
}

/**
 * Fills a hub with something of every kind that its pages show: frames, devices well and ill, rules, incidents, a saved
 * search, quarantine. `text` stands wherever people or devices may write what they like.
 */
export async function furnish(hub: HubHandle, text: string): Promise<Furnished> {
  const send = async (method: string, path: string, body: unknown) => {
    const response = await fetch(`${hub.url}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await response.text()
    if (!response.ok) throw fault('INTERNAL', `${method} ${path}: ${response.status} ${answer}`)
    return JSON.parse(answer)
  }
  const photos = await samplePhotos()
  const frames: string[] = []
  await send('POST', 'searches', { name: text, text, threshold: -1 })
  for (const camera of CAMERAS) {
    const { path } = photos.find(({ subject }) => subject === camera)!
    const image = (await readFile(path)).toString('base64')
    const place = `site=default&node=n1&camera=${camera}&session=${SESSION}`
    frames.push(...(await send('POST', `index?${place}`, [{ image }])).ids)
  }
  await send('POST', 'frames/tags', { frames: frames.slice(0, 1), add: [text.slice(0, 64).trim()] })
  await send('POST', 'rules', {
    id: 'written-by-hand',
    name: text,
    positives: [text, 'a lighthouse'],
    negatives: [text],
    templates: [`${text} {}`],
  })
  const settings = { cameras: [{ name: 'gate', source: `folder:/${text}` }] }
  await send('PUT', 'devices/default/n1/config', { settings })
  await send('POST', 'devices/default/n1/commands', { command: 'snapshot', args: { camera: text } })
  await tell(hub, text)
  return { url: hub.url, frameId: frames[0]! }
}

/** What devices say of themselves, and something that is no message at all. */
async function tell(hub: HubHandle, text: string): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`, { clientId: 'default~n1' })
  const say = (type: 'state' | 'event' | 'cfg/reported', message: object, address = NODE) =>
    client.publishAsync(nodeTopic(type, address), encodeJson(message), { qos: 1 })
  const at = Date.now()
  const short = text.slice(0, 40)
  const state: NodeState = {
    v: 1,
    online: true,
    at,
    session: SESSION,
    agent: short,
    fingerprint: 'other:000000000000',
    provider: short,
    rulesGroup: 'all',
    rulesVersion: 1,
    rulesError: text,
    configVersion: 0,
    missingActions: [text.slice(0, 64)],
    cameras: [
      { camera: 'lighthouse', status: 'running', lastFrameAt: at },
      { camera: 'fireworks', status: 'failed', lastFrameAt: null, error: text },
    ],
  }
  await say('state', state)
  const starting = { phase: 'building-engine', detail: text, since: at, error: text } as const
  await say('state', { ...state, starting, cameras: [] }, { ...NODE, node: 'n2' })
  const own = { cameras: [{ name: text }] }
  await say('cfg/reported', {
    v: 1,
    version: 1,
    hash: settingsHash(own),
    status: 'rejected',
    error: text,
    inForce: 0,
    at,
    settings: own,
  } satisfies ReportedConfig)
  const incident: IncidentEvent = {
    v: 1,
    session: SESSION,
    // After the frames, of which the first is its best.
    seq: CAMERAS.length + 1,
    phase: 'new',
    incident: '01JD0000000000000000000001',
    rule: text.slice(0, 64),
    ruleName: text,
    rulesVersion: 1,
    severity: 'high',
    camera: 'lighthouse',
    at,
    startedAt: at,
    score: 0.8,
    peakScore: 0.9,
    frames: 2,
    bestFrame: 1,
  }
  await say('event', incident)
  await say('event', {
    ...incident,
    seq: CAMERAS.length + 2,
    phase: 'end',
    incident: '01JD0000000000000000000002',
    rule: 'written-by-hand',
  })
  await client.publishAsync(nodeTopic('emb', NODE), text, { qos: 1 })
  await client.endAsync()
}

/** From now on everybody signs in. */
export async function firstAdmin({ url }: Pick<HubHandle, 'url'>, name: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, password: PASSWORD, role: 'admin' }),
  })
  if (!response.ok) throw fault('INTERNAL', await response.text())
}
