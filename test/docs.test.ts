import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS, INCIDENT_PHASES, UPLINK_TYPES } from '@sightline/core'
import { describe, expect, it } from 'vitest'
import { ROOT } from './support/processes.ts'

const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8')

describe('documentation', () => {
  it('lists every error code, and none that is gone', () => {
    const listed = [...page('errors.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(match => match[1])
    expect(listed).toEqual(Object.keys(ERRORS))
  })

  it('is what the code generates', () => {
    const run = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/generate-docs.ts', '--check'], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    expect(run.stderr).toBe('')
    expect(run.status).toBe(0)
  })

  it('names every kind of message and every phase of an incident', () => {
    const protocol = page('protocol.md')
    for (const word of [...UPLINK_TYPES, ...INCIDENT_PHASES, 'ack', 'rules'])
      expect(protocol).toContain(`\`${word}\``)
  })

  it('links only to files that exist', () => {
    const pages = [
      'README.md',
      'CONTRIBUTING.md',
      ...readdirSync(join(ROOT, 'docs')).flatMap(name => (name.endsWith('.md') ? [`docs/${name}`] : [])),
    ]
    const broken = pages.flatMap(from => {
      const text = readFileSync(join(ROOT, from), 'utf8')
      return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map(match => join(from, '..', match[1]!))
        .filter(target => !existsSync(join(ROOT, target)))
        .map(target => `${from} -> ${target}`)
    })
    expect(broken).toEqual([])
  })
})
