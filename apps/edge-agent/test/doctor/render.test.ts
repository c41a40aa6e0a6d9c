import type { Finding } from '@sightline/edge-agent/doctor/finding.js'
import { renderFinding, renderSummary, wrap } from '@sightline/edge-agent/doctor/render.js'
import { describe, expect, it } from 'vitest'

const PLAIN = { colour: false, width: 60 }
const finding = (name: string, mark: Finding['mark'], rest: Partial<Finding> = {}): Finding => ({
  group: 'Cameras',
  name,
  mark,
  text: 'a text',
  ...rest,
})

describe('the report', () => {
  it('gives a group its title once and lines names up', () => {
    const first = finding('gate', 'ok')
    const lines = [
      ...renderFinding(first, undefined, PLAIN),
      ...renderFinding(finding('a-long-camera-name', 'warn'), first, PLAIN),
    ]
    expect(lines).toEqual(['', 'Cameras', '  ✓ gate          a text', '  ! a-long-camera-name  a text'])
  })

  it('wraps under the text, and gives advice only where something is amiss', () => {
    const text = 'CAMERA_FAILED: the camera did not answer within fifteen seconds'
    const advice = 'Check the cable.'
    const lines = renderFinding(finding('gate', 'fail', { text, advice }), finding('yard', 'ok'), PLAIN)
    expect(lines).toEqual([
      '  ✗ gate          CAMERA_FAILED: the camera did not answer',
      '                  within fifteen seconds',
      '                  → Check the cable.',
    ])
    expect(renderFinding(finding('gate', 'ok', { advice }), finding('yard', 'ok'), PLAIN)).toHaveLength(1)
  })

  it('colours the sign alone', () => {
    const [line] = renderFinding(finding('gate', 'fail'), finding('yard', 'ok'), { colour: true, width: 60 })
    expect(line).toBe('  \u001b[31m✗\u001b[0m gate          a text')
  })

  it('ends with what is to be done', () => {
    const all = [finding('yard', 'ok'), finding('speed', 'warn'), finding('gate', 'fail')]
    expect(renderSummary(all, PLAIN)).toBe('✗ Not ready: gate.')
    expect(renderSummary(all.slice(0, 2), PLAIN)).toBe('! Ready, but look at: speed.')
    expect(renderSummary(all.slice(0, 1), PLAIN)).toBe('✓ Everything asked for is there.')
  })

  it('leaves a word that is wider than the line whole', () => {
    expect(wrap('see mqtt://a-very-long-host.example:1883 now', 10)).toEqual([
      'see',
      'mqtt://a-very-long-host.example:1883',
      'now',
    ])
  })
})
