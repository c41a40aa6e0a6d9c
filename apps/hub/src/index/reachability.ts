import type { Links } from './hnswlib-file.ts'
import { MAX_LINKS } from './segment-image.ts'

const WIDTH = 1 + MAX_LINKS

/**
 * Gives every row a way to it. Pruning leaves rows that link to others while nobody links to them, so that no walk finds
 * them, however near the query is (Malkov and Yashunin 2018 keep the out-degree, not the in-degree). Such a row is added to
 * the list of a row that it links to and that can be reached, or of the next one in time where those lists are full.
 * @returns rows that were out of reach
 */
export function makeReachable({ links, entry, upperNodes }: Links): number {
  const count = links.length / WIDTH
  const reached = new Uint8Array(count)
  const queue: number[] = []
  const reach = (row: number) => {
    if (reached[row] === 1) return
    reached[row] = 1
    queue.push(row)
  }
  const spread = () => {
    for (let row = queue.pop(); row !== undefined; row = queue.pop())
      for (let at = row * WIDTH + 1, end = at + links[row * WIDTH]!; at < end; at++) reach(links[at]!)
  }
  // The layers above are walked from the entry, and whoever is there is a start below.
  for (const row of [entry, ...upperNodes]) reach(row)
  spread()
  let lost = 0
  for (let row = 0; row < count; row++) {
    if (reached[row] === 1) continue
    lost++
    linkTo(links, row, reached)
    reach(row)
    spread()
  }
  return lost
}

function linkTo(links: Uint32Array, row: number, reached: Uint8Array): void {
  const own = links.subarray(row * WIDTH + 1, row * WIDTH + 1 + links[row * WIDTH]!)
  const open = (other: number) => reached[other] === 1 && links[other * WIDTH]! < MAX_LINKS
  const from = own.find(open) ?? neighbourInTime(row, reached.length, open)
  if (from === undefined) return
  const place = ++links[from * WIDTH]!
  links[from * WIDTH + place] = row
}

/** Rows are in order of arrival: what was seen a moment before is mostly the same scene. */
function neighbourInTime(row: number, count: number, open: (row: number) => boolean): number | undefined {
  for (let distance = 1; distance < count; distance++) {
    if (row >= distance && open(row - distance)) return row - distance
    if (row + distance < count && open(row + distance)) return row + distance
  }
  return undefined
}
