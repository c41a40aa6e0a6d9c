import type { Decisions } from './decisions.ts'
import type { Agreement, Speed } from './measure.ts'

export interface KeptInFloat {
  readonly layer: string
  readonly op: string
  /** Float bytes of its weight, 0 where it has none of its own. */
  readonly bytes: number
  readonly reason: string
}

/** Everything one run of the quantiser found out; `--json` prints it as it is. */
export interface QuantiseReport {
  readonly input: string
  readonly output: string
  readonly mode: 'dynamic' | 'qdq'
  readonly target: 'cpu' | 'tensorrt'
  readonly calibration: string | null
  readonly opset: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly layersQuantised: number
  readonly keptInFloat: readonly KeptInFloat[]
  readonly minCosine: number | null
  readonly agreement: Agreement | null
  /** Zero-shot labels and rules; or why they were not compared. */
  readonly decisions: Decisions | { readonly notMeasured: string }
  readonly speed: Speed | null
  readonly samples: { readonly calibration: number; readonly measuring: number; readonly unreadable: number }
  readonly warnings: readonly string[]
  readonly seconds: number
}

const MAX_LISTED = 40
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`
const share = (value: number | null): string => (value === null ? 'too few samples' : value.toFixed(5))

function decisionLines(decisions: QuantiseReport['decisions']): string[] {
  if ('notMeasured' in decisions) return [`decisions  not measured: ${decisions.notMeasured}`]
  const { pictures, sameLabel, labels, labelSource, sameRules, rules, fired, textModel } = decisions
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  return [
    `zero-shot  ${percent(sameLabel)} the same label  (${pictures} pictures, ${labels} labels of ${labelSource})`,
    `rules      ${percent(sameRules)} the same decisions  (${pictures} pictures, ${rules} starter rules: ${fired.float} times fired by float, ${fired.quantised} by int8)`,
    `           texts by ${textModel}`,
  ]
}

/** The report as lines for people. */
export function reportText(report: QuantiseReport): string {
  const { agreement, speed, samples, keptInFloat } = report
  const how = report.calibration ? `${report.mode}, ${report.target}, ${report.calibration}` : report.mode
  const lines = [
    `${report.output}  (${how}, opset ${report.opset})`,
    `size       ${megabytes(report.bytesBefore)} -> ${megabytes(report.bytesAfter)}  (${(report.bytesBefore / report.bytesAfter).toFixed(2)}x smaller)`,
    `layers     ${report.layersQuantised} int8, ${keptInFloat.length} in float`,
  ]
  if (agreement) {
    lines.push(
      `cosine     mean ${agreement.mean.toFixed(5)}  p1 ${agreement.p1.toFixed(5)}  min ${agreement.min.toFixed(5)}  (${samples.measuring} samples, target ${report.minCosine ?? 'none'})`,
      `centred    ${share(agreement.centred)}`,
      `neighbours ${agreement.neighbours === null ? 'too few samples' : `${(100 * agreement.neighbours).toFixed(1)} % the same`}`,
    )
  } else lines.push('cosine     not measured: give pictures (--calibrate) or sentences (--texts)')
  lines.push(...decisionLines(report.decisions))
  if (speed) {
    lines.push(
      `speed      ${speed.floatMs.toFixed(1)} ms -> ${speed.quantisedMs.toFixed(1)} ms, one thread, batch 1  (${speed.ratio.toFixed(2)}x faster)`,
    )
  }
  for (const kept of keptInFloat.slice(0, MAX_LISTED)) {
    lines.push(`float      ${kept.layer} (${kept.op}, ${megabytes(kept.bytes)}): ${kept.reason}`)
  }
  if (keptInFloat.length > MAX_LISTED)
    lines.push(`float      ... and ${keptInFloat.length - MAX_LISTED} more`)
  for (const warning of report.warnings) lines.push(`warning    ${warning}`)
  lines.push(`time       ${report.seconds.toFixed(1)} s`)
  return lines.join('\n')
}
