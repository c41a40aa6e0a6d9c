import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpGet } from '@sightline/models/pull/http.js'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

let dir: string
let server: Server | undefined

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-https-'))
  try {
    const args = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=localhost',
    ]
    const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-days', '1', ...args, ...files], { stdio: 'ignore' })
  } catch {
    process.stderr.write('the test of redirects from https to http is skipped: openssl is not installed\n')
    return
  }
  const [key, cert] = await Promise.all(['key.pem', 'cert.pem'].map(name => readFile(join(dir, name))))
  server = createServer({ key: key!, cert: cert! }, (_, response) => {
    response.writeHead(302, { location: 'http://127.0.0.1:1/model.onnx' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The certificate is its own authority.
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
})

afterAll(async () => {
  vi.unstubAllEnvs()
  server?.closeAllConnections()
  server?.close()
  await rm(dir, { recursive: true, force: true })
})

describe('https', () => {
  it('is never left for http', async context => {
    if (!server) return context.skip()
    const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/model.onnx`)
    await expect(httpGet(url, {}, { idleMs: 5_000 })).rejects.toMatchObject({ code: 'MODEL_SOURCE_REFUSED' })
  })
})
