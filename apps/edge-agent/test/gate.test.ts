import { Gate } from '@sightline/edge-agent/gate.js'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'

const SETTINGS = { threshold: 2.5, maxSilenceSeconds: 60 }
const NOW = 1_700_000_000_000

/** A scene with a bright square whose side says how much happens in it. */
async function scene(squarePx: number, quality = 90): Promise<Buffer> {
  const square = await sharp({
    create: { width: squarePx, height: squarePx, channels: 3, background: '#fff' },
  })
    .png()
    .toBuffer()
  return await sharp({ create: { width: 320, height: 240, channels: 3, background: '#345' } })
    .composite([{ input: square, left: 10, top: 10 }])
    .jpeg({ quality })
    .toBuffer()
}

describe('Gate', () => {
  it('lets the first frame pass and stops its like, however encoded', async () => {
    const gate = new Gate(SETTINGS)
    expect(await gate.passes(await scene(20), NOW)).toBe(true)
    expect(await gate.passes(await scene(20), NOW + 1000)).toBe(false)
    expect(await gate.passes(await scene(20, 60), NOW + 2000)).toBe(false)
  })

  it('lets a change pass', async () => {
    const gate = new Gate(SETTINGS)
    await gate.passes(await scene(20), NOW)
    expect(await gate.passes(await scene(90), NOW + 1000)).toBe(true)
    expect(await gate.passes(await scene(90), NOW + 2000)).toBe(false)
  })

  it('lets a slow change pass in the end: it compares with the last that passed', async () => {
    const gate = new Gate(SETTINGS)
    const passed: boolean[] = []
    for (let step = 0; step < 12; step++)
      passed.push(await gate.passes(await scene(20 + 4 * step), NOW + step))
    expect(passed.slice(1, 3)).toEqual([false, false])
    expect(passed.slice(3)).toContain(true)
  })

  it('lets a frame pass after the longest silence, and after the clock was set back', async () => {
    const gate = new Gate(SETTINGS)
    const still = await scene(20)
    await gate.passes(still, NOW)
    expect(await gate.passes(still, NOW + 59_999)).toBe(false)
    expect(await gate.passes(still, NOW + 60_000)).toBe(true)
    expect(await gate.passes(still, NOW)).toBe(true)
  })

  it('lets everything pass at threshold 0, and the next frame after a reset', async () => {
    const still = await scene(20)
    const open = new Gate({ ...SETTINGS, threshold: 0 })
    expect([await open.passes(still, NOW), await open.passes(still, NOW)]).toEqual([true, true])
    const gate = new Gate(SETTINGS)
    await gate.passes(still, NOW)
    gate.reset()
    expect(await gate.passes(still, NOW + 1)).toBe(true)
  })

  it('takes raw frames and refuses what is no picture', async () => {
    const gate = new Gate(SETTINGS)
    const raw = { data: new Uint8Array(40 * 30 * 3).fill(100), width: 40, height: 30 }
    expect(await gate.passes(raw, NOW)).toBe(true)
    expect(await gate.passes(raw, NOW + 1)).toBe(false)
    await expect(gate.passes(Buffer.from('no picture'), NOW + 2)).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
    })
    const truncated = (await scene(20)).subarray(0, 600)
    await expect(gate.passes(truncated, NOW + 3)).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
  })
})
