import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '@sightline/core/config.js'
import { SightlineError } from '@sightline/core/errors.js'
import { Type } from 'typebox'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const schema = Type.Object(
  {
    name: Type.String({ default: 'hub' }),
    http: Type.Object(
      { port: Type.Integer({ minimum: 0, default: 8080 }) },
      { additionalProperties: false, default: {} },
    ),
    ratio: Type.Number({ default: 0.5 }),
    loud: Type.Boolean({ default: false }),
  },
  { additionalProperties: false },
)
const environment = { X_PORT: 'http.port', X_LOUD: 'loud', X_NAME: 'name' }

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'config-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function file(text: string): Promise<string> {
  const path = join(dir, 'settings.yaml')
  await writeFile(path, text)
  return path
}

describe('loadConfig', () => {
  it('fills defaults without a file', async () => {
    const config = await loadConfig({ schema, environment, env: {} })
    expect(config).toEqual({ name: 'hub', http: { port: 8080 }, ratio: 0.5, loud: false })
  })

  it('lets the environment win over the file, typed by what it looks like', async () => {
    const path = await file('http:\n  port: 1\nname: from-file\n')
    const env = { X_PORT: '9090', X_LOUD: 'true', X_NAME: '' }
    const config = await loadConfig({ schema, file: path, environment, env })
    expect(config).toMatchObject({ http: { port: 9090 }, loud: true, name: 'from-file' })
  })

  it('names every fault by its path at once, unknown keys included', async () => {
    const path = await file('http:\n  port: -1\n  prot: 3\nnaem: x\nratio: much\n')
    const failure = await loadConfig({ schema, file: path, environment, env: {} }).catch(error => error)
    expect(failure).toBeInstanceOf(SightlineError)
    expect(failure.code).toBe('CONFIG_INVALID')
    const paths = failure.details.faults.map((each: { path: string }) => each.path).sort()
    expect(paths).toEqual(['http.port', 'http.prot', 'naem', 'ratio'])
    expect(failure.message).toContain('http.prot: unknown key')
  })

  it('does not stop counting faults early', async () => {
    const path = await file(Array.from({ length: 40 }, (_, i) => `unknown${i}: 1`).join('\n'))
    const failure = await loadConfig({ schema, file: path, environment, env: {} }).catch(error => error)
    expect(failure.details.faults).toHaveLength(40)
  })

  it('is frozen through and through', async () => {
    const config = await loadConfig({ schema, environment, env: {} })
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError)
  })

  it.each(['- a list', 'a: [unclosed', '"bare"'])('refuses the document %j', async text => {
    const path = await file(text)
    await expect(loadConfig({ schema, file: path, environment, env: {} })).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
    })
  })

  it('refuses a file that is not there', async () => {
    const path = join(dir, 'none.yaml')
    await expect(loadConfig({ schema, file: path, environment, env: {} })).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
    })
  })
})
