import type { Tables } from './lmdb-tables.ts'
import type { Label, Review } from './record-store.ts'

/** Inside a transaction. */
export function putReview(tables: Tables, review: Review): void {
  removeReview(tables, review.incident)
  tables.reviews.put(review.incident, review)
  tables.reviewsByTime.put([review.at, review.incident], true)
  for (const rule of rulesOf(review)) tables.reviewsByRule.put([rule, review.at, review.incident], true)
}

/** Inside a transaction. */
export function removeReview(tables: Tables, incident: string): Review | undefined {
  const known = tables.reviews.get(incident)
  if (known === undefined) return undefined
  tables.reviews.remove(incident)
  tables.reviewsByTime.remove([known.at, incident])
  for (const rule of rulesOf(known)) tables.reviewsByRule.remove([rule, known.at, incident])
  return known
}

export function newestLabels(tables: Tables, rule: string | undefined, limit: number): Label[] {
  const found: Label[] = []
  for (const id of rule === undefined ? allReviews(tables) : reviewsOf(tables, rule)) {
    const review = tables.reviews.get(id)
    if (review === undefined) continue
    const { incident, at } = review
    for (const label of review.labels) {
      if (rule !== undefined && label.rule !== rule) continue
      if (found.push({ ...label, incident, at }) === limit) return found
    }
  }
  return found
}

function* allReviews({ reviewsByTime }: Tables): Iterable<string> {
  for (const [, incident] of reviewsByTime.getKeys({ reverse: true })) yield incident
}

function* reviewsOf({ reviewsByRule }: Tables, rule: string): Iterable<string> {
  const range = {
    start: [rule, Number.MAX_SAFE_INTEGER, ''] as [string, number, string],
    end: [rule, 0, ''] as [string, number, string],
  }
  for (const [, , incident] of reviewsByRule.getKeys({ ...range, reverse: true })) yield incident
}

function rulesOf({ labels }: Review): Set<string> {
  return new Set(labels.map(({ rule }) => rule))
}
