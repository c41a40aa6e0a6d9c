import { BACKGROUND } from '@sightline/core/moderation/background.js'
import type { Correction } from './streams.ts'

/** The numbers of the background correction, each changed alone. */
export const BACKGROUND_VARIANTS: readonly {
  readonly name: string
  readonly settings: Correction
}[] = [
  { name: 'as shipped', change: {} },
  { name: '`quietScore` 0.3', change: { quietScore: 0.3 } },
  { name: '`quietScore` 0.05', change: { quietScore: 0.05 } },
  { name: '`quietScore` 0.02', change: { quietScore: 0.02 } },
  { name: '`maxOffsetNats` 1', change: { maxOffsetNats: 1 } },
  { name: '`maxOffsetNats` 6', change: { maxOffsetNats: 6 } },
  { name: '`huberNats` 0.5', change: { huberNats: 0.5 } },
  { name: '`huberNats` 8', change: { huberNats: 8 } },
  { name: '`maxFrozenMs` 0: never frozen', change: { maxFrozenMs: -1 } },
  { name: '`maxFrozenMs` 30 minutes', change: { maxFrozenMs: 1_800_000 } },
  { name: '`maxFrozenMs` without end', change: { maxFrozenMs: Number.POSITIVE_INFINITY } },
  { name: '`thaw` 0', change: { thaw: 0 } },
  { name: '`timeConstantMs` 15 minutes', change: { timeConstantMs: 900_000 } },
  { name: '`timeConstantMs` 4 hours', change: { timeConstantMs: 14_400_000 } },
  { name: 'both ways, 1 nat up', change: { raiseNats: 1 } },
  { name: 'both ways, 2 nats up', change: { raiseNats: 2 } },
  { name: 'both ways, 2 nats up, `quietScore` 0.05', change: { raiseNats: 2, quietScore: 0.05 } },
].map(({ name, change }) => ({ name, settings: { ...BACKGROUND, ...change } }))
