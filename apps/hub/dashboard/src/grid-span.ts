/** Which cards of a long grid are worth having in the document. */
export interface GridPlace {
  /** Cards in all. */
  readonly total: number
  readonly columns: number
  /** From one row's upper edge to the next one's, px. */
  readonly rowPx: number
  /** Upper edge of the grid below that of the view, px; negative once scrolled past. */
  readonly topPx: number
  readonly viewPx: number
}

export interface GridSpan {
  /** Position of the first card, and of the first one after the last. */
  readonly first: number
  readonly end: number
  /** Room of the rows that are left out. */
  readonly beforePx: number
  readonly afterPx: number
}

/** Whole rows: those in view, and as much again above and below, so that neither a flick nor Tab outruns them. */
export function spanOf({ total, columns, rowPx, topPx, viewPx }: GridPlace): GridSpan {
  const rows = Math.ceil(total / columns)
  if (rows === 0 || !(rowPx > 0)) return { first: 0, end: total, beforePx: 0, afterPx: 0 }
  const last = rows - 1
  const firstRow = Math.min(last, Math.max(0, Math.floor((-topPx - viewPx) / rowPx)))
  const endRow = Math.min(rows, Math.max(firstRow + 1, Math.ceil((2 * viewPx - topPx) / rowPx)))
  return {
    first: firstRow * columns,
    end: Math.min(total, endRow * columns),
    beforePx: firstRow * rowPx,
    afterPx: (rows - endRow) * rowPx,
  }
}
