import { dot } from '@sightline/core'
import { BackgroundEstimate } from '@sightline/core/moderation/background.js'
import { ruleLogit } from '@sightline/core/moderation/rule-logit.js'
import { describe, expect, it } from 'vitest'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { BacktestBench, framesOf, HIT, KNIFE } from './backtest-bench.ts'
import { compiledFor, DIM } from './rules.ts'

const bench = BacktestBench.inEachTest()

describe('a run of a backtest', () => {
  it('scores as the definition does, background included, whatever the threads do', async () => {
    const random = seededRandom(5)
    const vectors = Array.from({ length: 40_000 }, () => randomUnit(DIM, random))
    for (let i = 0; i < vectors.length; i += 4000) {
      const part = framesOf(vectors.slice(i, i + 4000), i * 1000)
      await bench.source.append(part)
    }
    const rule = { ...KNIFE, minSimilarity: 0.05, on: 0.6, off: 0.4 }
    const { bundle } = await compiledFor([rule])
    const rows = new Float32Array(new Uint8Array(bundle.vectors).buffer)
    const at = (row: number, frame: Float32Array) => dot(rows.subarray(row * DIM, (row + 1) * DIM), frame)
    const background = new BackgroundEstimate()
    const scores = vectors.map((frame, i) => {
      const { positives, negatives, minSimilarity, off } = bundle.rules[0]!
      const similarity = at(positives[0]!, frame)
      const reached = similarity >= minSimilarity
      const others = [...negatives, ...bundle.neutral].map(row => at(row, frame))
      const logit = ruleLogit(similarity, others, bundle.logitScale)
      const score = reached ? 1 / (1 + Math.exp(background.offset - logit)) : 0
      const eventful = reached && score >= off
      background.observe({ logit: reached ? logit : undefined, elapsedMs: i === 0 ? 0 : 1000, eventful })
      return score
    })
    const progress: number[] = []
    const { findings } = await bench.run(rule, { onProgress: each => progress.push(each.scanned) })
    expect(findings.frames).toBe(40_000)
    const fired = scores.filter(score => score >= 0.6).length
    expect(fired).toBeGreaterThan(1000)
    // float32 sums against float64: a frame exactly at the threshold may fall on either side.
    expect(Math.abs(findings.fired - fired)).toBeLessThanOrEqual(2)
    expect(findings.best[0]!.score).toBeCloseTo(Math.max(...scores), 4)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(40_000)
  })

  it('ends when nobody waits for it any more, and lets the store go', async () => {
    for (let i = 0; i < 25; i++) await bench.source.append(framesOf(Array.from({ length: 4000 }, () => HIT)))
    const gone = new AbortController()
    const progress: number[] = []
    const onProgress = ({ scanned }: { scanned: number }) => {
      progress.push(scanned)
      gone.abort(new DOMException('gone', 'AbortError'))
    }
    await expect(bench.run(KNIFE, { signal: gone.signal, onProgress })).rejects.toThrow('gone')
    // What was under way on the other threads is finished, nothing new is begun.
    expect(progress.length).toBeLessThanOrEqual(4)
    expect(progress.at(-1)).toBeLessThan(100_000)
    expect((await bench.run()).findings.frames).toBe(100_000)
  })

  it('takes no more than two at once, and ends them when the hub stops', async () => {
    await bench.source.append(framesOf(Array.from({ length: 4000 }, () => HIT)))
    const backtest = bench.newBacktest()
    const { bundle } = await compiledFor([KNIFE])
    const signal = new AbortController().signal
    const job = { bundle, filter: {}, top: 1, signal, onProgress: () => {} }
    const running = [backtest.run(job), backtest.run(job)]
    const ended = Promise.allSettled(running)
    await expect(backtest.run(job)).rejects.toMatchObject({ code: 'API_BUSY' })
    await backtest.stop()
    for (const outcome of await ended) expect(outcome).toMatchObject({ reason: { code: 'NOT_READY' } })
  })
})
