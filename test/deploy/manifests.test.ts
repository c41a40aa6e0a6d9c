import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkConfig } from '@sightline/core'
import { AgentSettings } from '@sightline/edge-agent/settings.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { ROOT } from '../support/processes.ts'

const read = (path: string) => readFile(join(ROOT, 'deploy', path), 'utf8')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly selector?: Readonly<Record<string, unknown>>
    readonly template?: {
      readonly spec: {
        readonly containers: readonly { readonly ports: readonly { name: string; containerPort: number }[] }[]
        readonly volumes: readonly { readonly name: string }[]
      }
    }
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[]
  }
}

it('give hub and agent settings that they take', async () => {
  const agent = parse(await read('docker/agent.yaml')) as Record<string, unknown>
  expect(checkConfig(AgentSettings, agent, 'agent.yaml').cameras).toHaveLength(1)
  const manifests = await kubernetes()
  const text = manifests.find(({ kind }) => kind === 'ConfigMap')?.data?.['hub.yaml'] ?? ''
  const hub = checkConfig(HubSettings, parse(text) as Record<string, unknown>, 'hub.yaml')
  expect(hub.tls.certFile).toBe('/tls/tls.crt')
})

it('name ports, selectors and volumes that are there', async () => {
  const manifests = await kubernetes()
  const set = manifests.find(({ kind }) => kind === 'StatefulSet')!.spec!
  const service = manifests.find(({ kind }) => kind === 'Service')!.spec!
  expect(manifests.map(({ metadata }) => metadata.namespace)).toEqual(manifests.map(() => 'sightline'))
  const [container] = set.template!.spec.containers
  const known = Object.fromEntries(container!.ports.map(({ name, containerPort }) => [name, containerPort]))
  for (const { port, targetPort } of service.ports!) expect(known[targetPort]).toBe(port)
  expect(service.selector).toEqual({ app: 'sightline-hub' })
})

it('compose builds targets that the Dockerfile has', async () => {
  const { services } = parse(await read('docker/compose.yaml'), { merge: true }) as {
    services: Record<string, { build: { target: string; dockerfile: string }; read_only: boolean }>
  }
  const dockerfile = await read('docker/Dockerfile')
  for (const { build, read_only } of Object.values(services)) {
    expect(dockerfile).toMatch(new RegExp(`^FROM .* AS ${build.target}$`, 'm'))
    expect(build.dockerfile).toBe('deploy/docker/Dockerfile')
    expect(read_only).toBe(true)
  }
})

async function kubernetes(): Promise<Manifest[]> {
  return parseAllDocuments(await read('kubernetes/hub.yaml')).map(document => {
    expect(document.errors).toEqual([])
    return document.toJS() as Manifest
  })
}
