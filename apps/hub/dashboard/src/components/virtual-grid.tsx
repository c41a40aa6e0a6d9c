import type { ComponentChildren, RefObject } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { type GridSpan, spanOf } from '../grid-span.ts'

/** Before anything is measured: more than any first view shows of it. */
const FIRST_CARDS = 48

export interface VirtualGridProps<T> {
  readonly items: readonly T[]
  readonly keyOf: (item: T) => string
  readonly class: string
  readonly label?: string
  readonly children: (item: T) => ComponentChildren
}

/** Steps of the arrow keys, in a grid of so many columns. */
const STEPS: Readonly<Record<string, (columns: number) => number>> = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: columns => -columns,
  ArrowDown: columns => columns,
}

/**
 * A grid of equally high rows of which only those near the view are in the document. The others leave their room as
 * padding; `aria-posinset` says where in the whole a card is; the arrow keys go from card to card. Style properties set by script pass the content security policy.
 */
export function VirtualGrid<T>({ items, keyOf, class: name, label, children }: VirtualGridProps<T>) {
  const list = useRef<HTMLUListElement>(null)
  const { first, end, beforePx, afterPx } = useSpan(list, items.length)
  return (
    <ul
      ref={list}
      class={name}
      aria-label={label}
      onKeyDown={event => goAlong(event, list.current)}
      style={{ paddingTop: `${beforePx}px`, paddingBottom: `${afterPx}px` }}
    >
      {items.slice(first, end).map((item, i) => (
        <li key={keyOf(item)} aria-posinset={first + i + 1} aria-setsize={items.length}>
          {children(item)}
        </li>
      ))}
    </ul>
  )
}

/** To the same control of the card beside, above or below, if there is one. */
function goAlong(event: KeyboardEvent, list: HTMLUListElement | null): void {
  const step = STEPS[event.key]
  const { target } = event
  if (step === undefined || list === null || !(target instanceof HTMLElement)) return
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
  const place = Number(target.closest('li[aria-posinset]')?.getAttribute('aria-posinset'))
  const next = list.querySelector(`:scope > li[aria-posinset="${place + step(columnsOf(list))}"]`)
  const control =
    (target.className !== '' && next?.querySelector<HTMLElement>(`.${target.classList[0]}`)) ||
    next?.querySelector<HTMLElement>('a, button')
  if (!control) return
  event.preventDefault()
  control.focus()
}

function columnsOf(list: HTMLUListElement): number {
  return getComputedStyle(list).gridTemplateColumns.split(' ').length
}

function useSpan(list: RefObject<HTMLUListElement | null>, total: number): GridSpan {
  const [span, setSpan] = useState<GridSpan>({ first: 0, end: FIRST_CARDS, beforePx: 0, afterPx: 0 })
  useLayoutEffect(() => {
    const element = list.current
    if (element === null) return
    let asked = 0
    const measure = () => {
      asked = 0
      const next = measured(element, total)
      setSpan(known => (same(known, next) ? known : next))
    }
    const ask = () => {
      asked ||= requestAnimationFrame(measure)
    }
    measure()
    const sizes = new ResizeObserver(ask)
    sizes.observe(element)
    addEventListener('scroll', ask, { passive: true })
    addEventListener('resize', ask)
    return () => {
      cancelAnimationFrame(asked)
      sizes.disconnect()
      removeEventListener('scroll', ask)
      removeEventListener('resize', ask)
    }
  }, [total])
  return span
}

function measured(element: HTMLUListElement, total: number): GridSpan {
  const { rowGap } = getComputedStyle(element)
  const card = element.firstElementChild?.getBoundingClientRect().height ?? 0
  return spanOf({
    total,
    columns: columnsOf(element),
    rowPx: card === 0 ? 0 : card + (Number.parseFloat(rowGap) || 0),
    topPx: element.getBoundingClientRect().top,
    viewPx: innerHeight,
  })
}

function same(a: GridSpan, b: GridSpan): boolean {
  return a.first === b.first && a.end === b.end && a.beforePx === b.beforePx && a.afterPx === b.afterPx
}
