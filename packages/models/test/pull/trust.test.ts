import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { externalOnnx, imageOnnx } from '../store/tiny-models.ts'

import { IMAGE, PullSetup, TEXT } from './pull-setup.ts'

let setup: PullSetup

beforeEach(async () => {
  setup = await PullSetup.create()
})

afterEach(() => setup.destroy())

describe('what a pull trusts', () => {
  it('does not join bytes of two contents when nothing pins the file', async () => {
    const changed = imageOnnx(99)
    setup.behave({
      breakAfter: (path, attempt) => (path === IMAGE && attempt === 0 ? 60 : undefined),
      beforeBreak: async (path, bytes) => {
        await setup.written(path, bytes)
        setup.server.files = { ...setup.files, [IMAGE]: changed }
      },
    })
    const result = await setup.pull(setup.unpinnedEntry())
    expect(await readFile(join(result.dir, IMAGE))).toEqual(changed)
    expect(setup.server.rangesOf(IMAGE)).toEqual([undefined, 'bytes=60-'])
  })

  it('refuses content with another hash or size, and leaves nothing of it', async () => {
    const right = setup.pinnedEntry()
    setup.server.files = { ...setup.files, [TEXT]: Buffer.from(setup.files[TEXT]!).fill(1, 200, 300) }
    await expect(setup.pull(right)).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH' })
    expect(existsSync(join(setup.layout.stagingDir('tiny'), `${TEXT}.part`))).toBe(false)
    expect(existsSync(setup.layout.modelDir('tiny'))).toBe(false)

    setup.server.files = { ...setup.files, [TEXT]: Buffer.concat([setup.files[TEXT]!, Buffer.from('more')]) }
    await expect(setup.pull(right)).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH' })
    setup.behave({ length: false })
    await expect(setup.pull(right)).rejects.toMatchObject({
      code: 'MODEL_HASH_MISMATCH',
      message: expect.stringContaining('longer'),
    })
  })

  it('takes every file from the commit that the first one came from', async () => {
    const commit = 'd15189d7028b43f1d3e65039190477f6af591c2a'
    const urls: string[] = []
    setup.behave({
      headers: { 'x-repo-commit': commit },
      intercept: request => {
        urls.push(request.url!)
        return false
      },
    })
    await setup.pull(setup.unpinnedEntry())
    const asked = urls.filter(url => url.includes('/resolve/')).map(url => url.split('/')[4])
    expect(asked).toEqual(['main', commit, commit, commit])
    expect(JSON.parse(await readFile(setup.layout.pinFile('tiny'), 'utf8'))).toMatchObject({
      revision: commit,
    })
  })

  it('trusts unpinned setup.files once and holds the source to them afterwards', async () => {
    const first = await setup.pull(setup.unpinnedEntry())
    expect(first.trusted).toHaveLength(4)
    expect(await setup.pull(setup.unpinnedEntry())).toMatchObject({ changed: false, trusted: [] })

    setup.server.files = { ...setup.files, [IMAGE]: imageOnnx(50) }
    await rm(first.dir, { recursive: true })
    await expect(setup.pull(setup.unpinnedEntry())).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH' })
    expect(existsSync(first.dir)).toBe(false)
    const repinned = await setup.pull(setup.unpinnedEntry(), { repin: true })
    expect(repinned.trusted).toContain(IMAGE)
    expect(repinned.fingerprint).not.toBe(first.fingerprint)
  })

  it('refuses a damaged record of the first pull rather than trusting anew', async () => {
    await setup.pull(setup.unpinnedEntry())
    await writeFile(setup.layout.pinFile('tiny'), '{"schema":1}')
    await expect(setup.pull(setup.unpinnedEntry())).rejects.toMatchObject({ code: 'MODEL_STORE_FAILED' })
  })

  it('fetches weight files that an ONNX file names, and pins them', async () => {
    const { onnx, data } = externalOnnx('weights.bin')
    setup.server.files = { ...setup.files, [IMAGE]: onnx, 'onnx/weights.bin': data }
    const result = await setup.pull(setup.unpinnedEntry())
    expect(result.trusted).toContain('onnx/weights.bin')
    expect(await readFile(join(result.dir, 'onnx/weights.bin'))).toEqual(data)
    await rm(result.dir, { recursive: true })
    setup.server.files['onnx/weights.bin'] = Buffer.alloc(data.length, 1)
    await expect(setup.pull(setup.unpinnedEntry())).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH' })
  })

  it('refuses weight setup.files outside the model', async () => {
    for (const location of ['../../../../etc/passwd', '/etc/passwd', '../.pins/x', 'a/../../../x']) {
      setup.server.files = { ...setup.files, [IMAGE]: externalOnnx(location).onnx }
      await expect(setup.pull(setup.unpinnedEntry(), { repin: true })).rejects.toMatchObject({
        code: 'MODEL_INVALID',
      })
    }
  })

  it('refuses files that are not what the entry says', async () => {
    setup.server.files = {
      ...setup.files,
      [IMAGE]: Buffer.from('<html>Please log in to this network</html>'),
    }
    await expect(setup.pull(setup.unpinnedEntry())).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    expect(existsSync(setup.layout.pinFile('tiny'))).toBe(false)
    setup.server.files = setup.files
    const wide = { ...setup.unpinnedEntry(), dim: 16 }
    await expect(setup.pull(wide)).rejects.toMatchObject({
      message: expect.stringContaining('embedding length'),
    })
  })
})
