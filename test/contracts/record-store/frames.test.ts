import { openFrameReader } from '@sightline/hub/store/frame-reader.js'
import { expect, it } from 'vitest'
import { delivery, frame, SESSION, storeContract } from './stores.ts'

storeContract('frames', held => {
  it('gives back what it was given, also after reopening', async () => {
    const verdicts = [{ rule: 'fire', score: 0.9, similarity: 0.4, fired: true }]
    const thumbnail = Uint8Array.of(0xff, 0xd8, 0xff, 1)
    await held.store.append(delivery([frame(1, { verdicts, thumbnail }), frame(2)], { historical: true }))
    await held.reopen()
    const [second, first] = held.store.recent({}, 10)
    expect(first).toMatchObject({
      id: `plant~dock~${SESSION}~1`,
      seq: 1,
      verdicts,
      hasThumbnail: true,
      historical: true,
    })
    expect(second).toMatchObject({ seq: 2, hasThumbnail: false })
    expect(held.store.frame(first!.id)?.vector).toEqual(frame(1).vector)
    expect(held.store.frameByOrd(first!.ord)).toEqual(held.store.frame(first!.id))
    expect(new Uint8Array(held.store.thumbnail(first!.id)!)).toEqual(thumbnail)
    expect(held.store.thumbnail(second!.id)).toBeUndefined()
    expect(held.store.counts()).toEqual({ frames: 2, incidents: 0, thumbnails: 1 })
  })

  it('stores a record once, however often it comes, and says so', async () => {
    await held.store.append(delivery([frame(1), frame(2)]))
    const again = await held.store.append(delivery([frame(2), frame(2), frame(3)]))
    expect(again.frames.map(each => each.seq)).toEqual([3])
    expect(again.duplicates).toBe(2)
    expect(again.stored).toEqual({ upTo: 3, ranges: [] })
    expect(held.store.counts().frames).toBe(3)
  })

  it('knows what is stored beyond a gap, and lets skipped numbers close it', async () => {
    const ahead = await held.store.append(delivery([frame(5), frame(6)]))
    expect(ahead.stored).toEqual({ upTo: 0, ranges: [[5, 6]] })
    const closed = await held.store.append(delivery([frame(1)], { skipped: [[2, 4]] }))
    expect(closed.stored).toEqual({ upTo: 6, ranges: [] })
    await held.reopen()
    expect(held.store.stored('plant', 'dock', SESSION)).toEqual({ upTo: 6, ranges: [] })
    expect(held.store.stored('plant', 'dock', '01JD00000000000000000000ZZ')).toEqual({ upTo: 0, ranges: [] })
  })

  it('keeps sessions, nodes and sites apart', async () => {
    await held.store.append(delivery([frame(1)]))
    await held.store.append(delivery([frame(1)], { session: '01JD00000000000000000000ZZ' }))
    await held.store.append(delivery([frame(1)], { node: 'gate' }))
    await held.store.append(delivery([frame(1)], { site: 'office' }))
    expect(held.store.counts().frames).toBe(4)
  })

  it('numbers frames in the order of storage and never gives a number twice', async () => {
    const [a, b] = await Promise.all([
      held.store.append(delivery([frame(9)])),
      held.store.append(delivery([frame(1)])),
    ])
    await held.reopen()
    const c = await held.store.append(delivery([frame(20)]))
    const ords = [a, b, c].map(result => result.frames[0]!.ord)
    expect(ords).toEqual([...ords].sort((x, y) => x - y))
    expect(new Set(ords).size).toBe(3)
    expect([...held.store.scan(ords[0]!)].map(each => each.seq)).toEqual([1, 20])
  })

  it('takes many deliveries at once and loses none', async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) => held.store.append(delivery([frame(i + 1)]))),
    )
    expect(results.at(-1)!.stored).toEqual({ upTo: 200, ranges: [] })
    expect([...held.store.scan(0)]).toHaveLength(200)
  })

  it('shows its frames to another reader, what comes later included', async () => {
    await held.store.append(delivery([frame(1), frame(2)]))
    const reader = openFrameReader(structuredClone(held.store.frameSource()))
    const read = (after: number, upTo: number) => {
      const seen: [number, number, Float32Array][] = []
      reader.visit(after, upTo, (ord, { seq }, vector) =>
        seen.push([ord, seq, new Float32Array(new Uint8Array(vector().subarray(0, 32)).buffer)]),
      )
      return seen
    }
    const ords = [...held.store.scan(0)].map(each => each.ord)
    expect(read(0, 100)).toEqual([1, 2].map((seq, i) => [ords[i], seq, frame(seq).vector]))
    expect(read(ords[0]!, ords[1]!)).toHaveLength(1)
    await held.store.append(delivery([frame(3)]))
    await new Promise(resolve => setImmediate(resolve))
    expect(read(ords[1]!, 100).map(([, seq]) => seq)).toEqual([3])
    await reader.close()
    expect((await held.store.append(delivery([frame(4)]))).frames).toHaveLength(1)
  })

  it("tells a frame's number by its id", async () => {
    const [stored] = (await held.store.append(delivery([frame(1)]))).frames
    expect(held.store.ordOf(stored!.id)).toBe(stored!.ord)
    expect(held.store.ordOf('plant~dock~none~1')).toBeUndefined()
  })
})
