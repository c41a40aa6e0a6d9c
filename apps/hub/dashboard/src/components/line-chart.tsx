import { useEffect, useRef } from 'preact/hooks'
import type uPlot from 'uplot'

export interface Line {
  readonly name: string
  /** A colour of the design: `--accent`. */
  readonly tone: string
  /** Null: nothing is known; the line has a gap. */
  readonly values: readonly (number | null)[]
}

export interface LineChartProps {
  readonly title: string
  /** Seconds since the epoch, ascending. */
  readonly at: readonly number[]
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  /** The time that is shown, seconds since the epoch. */
  readonly span: readonly [number, number]
}

const HEIGHT = 170
/** Charts of one page show the same moment under the pointer. */
const SYNC = 'line-charts'

/** Lines over time, with the values under the pointer beneath. In words: the newest and the greatest value of each line. */
export function LineChart({ title, at, lines, format, span }: LineChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | undefined>(undefined)
  const data = [at, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData
  const newest = useRef(data)
  newest.current = data
  const shown = useRef(span)
  shown.current = span
  useEffect(() => {
    const element = place.current
    if (element === null) return
    let left = false
    const draw = async () => {
      // Of use on this page alone.
      const { default: UPlot } = await import('uplot')
      if (left) return
      chart.current?.destroy()
      chart.current = new UPlot(
        optionsOf({ element, lines, format, span: () => shown.current }),
        newest.current,
        element,
      )
    }
    void draw()
    const resized = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    )
    resized.observe(element)
    // What is drawn on a canvas does not follow the theme by itself.
    const themed = new MutationObserver(() => void draw())
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const redraw = () => void draw()
    dark.addEventListener('change', redraw)
    return () => {
      left = true
      resized.disconnect()
      themed.disconnect()
      dark.removeEventListener('change', redraw)
      chart.current?.destroy()
      chart.current = undefined
    }
  }, [])
  useEffect(() => chart.current?.setData(data), [at, span[0], span[1]])
  return (
    <figure class="line-chart">
      <figcaption>
        <strong>{title}</strong>
        <span class="hint">{lines.map(line => inWords(line, format)).join('; ')}</span>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  )
}

function inWords({ name, values }: Line, format: (value: number) => string): string {
  const known = values.filter(value => value !== null)
  const last = known.at(-1)
  return last === undefined
    ? `${name}: nothing known`
    : `${name}: ${format(last)}, at most ${format(Math.max(...known))}`
}

function optionsOf({
  element,
  lines,
  format,
  span,
}: Pick<LineChartProps, 'lines' | 'format'> & {
  readonly element: HTMLElement
  readonly span: () => LineChartProps['span']
}): uPlot.Options {
  const axis = { stroke: colour(element, '--text-quiet'), font: '11px system-ui', ticks: { show: false } }
  const grid = { stroke: colour(element, '--line'), width: 1 }
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { sync: { key: SYNC }, drag: { x: false, y: false } },
    scales: {
      x: { range: () => [...span()] },
      // From nought, and never a range of nothing.
      y: { range: (_chart, _least, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    axes: [
      { ...axis, grid, space: 70, values: (_chart, splits) => splits.map(clockTime) },
      { ...axis, grid, size: 64, values: (_chart, splits) => splits.map(format) },
    ],
    series: [
      { label: 'Time', value: (_chart, at) => (at === null ? '' : clockTime(at)) },
      ...lines.map(({ name, tone }) => ({
        label: name,
        stroke: colour(element, tone),
        width: 1.5,
        value: (_chart: uPlot, value: number | null) => (value === null ? '' : format(value)),
      })),
    ],
  }
}

/** As the browser makes it of the theme: a canvas knows no variables. */
function colour(element: HTMLElement, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })

function clockTime(seconds: number): string {
  return TIME.format(seconds * 1000)
}
