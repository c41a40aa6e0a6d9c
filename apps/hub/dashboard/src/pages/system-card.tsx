import type { ComponentChildren } from 'preact'

/** A few figures under a title. */
export function Card({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="card system-card" aria-label={title}>
      <h2>{title}</h2>
      <dl class="measures">{children}</dl>
    </section>
  )
}

export interface FigureProps {
  readonly name: string
  readonly value: ComponentChildren
  readonly warn?: boolean
}

export function Figure({ name, value, warn = false }: FigureProps) {
  return (
    <div class={warn ? 'measure measure-warn' : 'measure'}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

/** A card across the page. */
export function Panel({
  title,
  note,
  children,
}: {
  title: string
  note: string
  children: ComponentChildren
}) {
  return (
    <section class="card system-panel" aria-label={title}>
      <h2>{title}</h2>
      <p class="hint">{note}</p>
      {children}
    </section>
  )
}
