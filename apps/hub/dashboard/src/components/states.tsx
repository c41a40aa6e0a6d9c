import type { ComponentChildren } from 'preact'
import type { ApiError } from '../api-error.ts'
import { sentence } from '../format.ts'
import { Icon, type IconName } from '../icons.tsx'

export interface NoticeProps {
  readonly icon: IconName
  readonly title: string
  readonly children?: ComponentChildren
}

/** Nothing to show, and why, and what to do about it. */
export function EmptyState({ icon, title, children }: NoticeProps) {
  return (
    <div class="state">
      <span class="state-icon">
        <Icon name={icon} />
      </span>
      <h2>{title}</h2>
      {children}
    </div>
  )
}

export function ErrorState({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <div class="state state-error" role="alert">
      <span class="state-icon">
        <Icon name={error.offline ? 'offline' : 'alert'} />
      </span>
      <h2>{error.message}</h2>
      <p>{error.remedy}</p>
      <p class="state-code">{error.code}</p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  )
}

/** What an address may name that was there once, or is for others to see. */
export function MissingFrame() {
  return (
    <EmptyState icon="imageOff" title="This frame is not here">
      <p>It is no longer stored, or of a camera that you may not see.</p>
    </EmptyState>
  )
}

/** An error that leaves what was there before standing. */
export function ErrorNote({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  return (
    <div class="note note-error" role="alert">
      <Icon name={error.offline ? 'offline' : 'alert'} />
      <p>
        <strong class="lines">{sentence(error.message)}</strong> {error.remedy}
      </p>
      {onRetry && (
        <button type="button" class="button button-small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}

/** Grey shapes where cards will be. */
export function SkeletonCards({ cards, class: name = 'grid' }: { cards: number; class?: string }) {
  return (
    <div class={name} aria-busy="true">
      <p class="visually-hidden" role="status">
        Loading…
      </p>
      {Array.from({ length: cards }, (_, index) => (
        <div class="skeleton" key={index} aria-hidden="true">
          <div class="skeleton-picture" />
          <div class="skeleton-line" />
          <div class="skeleton-line skeleton-short" />
        </div>
      ))}
    </div>
  )
}
