export interface BarsProps {
  /** What the chart shows, for those who cannot see it. */
  readonly label: string
  readonly bars: readonly Bar[]
  /** Where a line crosses the chart, 0 to 1 from the left. */
  readonly mark?: number
}

export interface Bar {
  readonly value: number
  readonly title: string
  /** On the marked side of the line. */
  readonly strong?: boolean
}

const HEIGHT = 100
/** A bar of something is never invisible. */
const LEAST = 3

/** A small column chart without axes. Heights grow with the square root, so that rare bars are seen beside common ones. */
export function Bars({ label, bars, mark }: BarsProps) {
  const most = Math.max(1, ...bars.map(({ value }) => value))
  const width = HEIGHT / Math.max(1, bars.length)
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${HEIGHT} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {bars.map(({ value, title, strong = false }, i) => {
        const height = value === 0 ? 0 : Math.max(LEAST, Math.sqrt(value / most) * HEIGHT)
        return (
          <g key={title}>
            <title>{title}</title>
            {/* Catches the pointer where the bar is low. */}
            <rect class="bars-slot" x={i * width} y={0} width={width} height={HEIGHT} />
            <rect
              class={strong ? 'bars-bar bars-strong' : 'bars-bar'}
              x={i * width + width * 0.08}
              y={HEIGHT - height}
              width={width * 0.84}
              height={height}
            />
          </g>
        )
      })}
      {mark !== undefined && (
        <line class="bars-mark" x1={mark * HEIGHT} x2={mark * HEIGHT} y1={0} y2={HEIGHT} />
      )}
    </svg>
  )
}
