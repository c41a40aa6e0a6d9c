import { createContext } from 'preact'
import { useContext, useState } from 'preact/hooks'
import type { Frame } from './api-types.ts'
import { useResource, useServices } from './services.ts'
import { useSession } from './session.tsx'

export interface TagCount {
  readonly tag: string
  readonly frames: number
}

export interface TagChange {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

export interface TagsHolder {
  /** Of the whole hub; none for limited viewers. */
  readonly all: readonly TagCount[]
  /** Of a frame, also when it was read before its tags were changed here. */
  readonly of: (frame: Frame) => readonly string[]
  /** @throws ApiError */
  readonly change: (frame: Frame, change: TagChange) => Promise<void>
}

export const TagsContext = createContext<TagsHolder | undefined>(undefined)

export function useTags(): TagsHolder {
  return useContext(TagsContext)!
}

/** The tags of the whole hub, and what was changed on this page. */
export function useTagsHolder(): TagsHolder {
  const { api } = useServices()
  const { scope } = useSession()
  const known = useResource(scope === null ? 'tags' : undefined, signal =>
    api.read<{ tags: readonly TagCount[] }>('/tags', signal),
  )
  const [changed, setChanged] = useState<ReadonlyMap<string, readonly string[]>>(new Map())
  const of = (frame: Frame) => changed.get(frame.id) ?? frame.tags
  return {
    all: known.data?.tags ?? [],
    of,
    change: async (frame, { add = [], remove = [] }) => {
      await api.write('POST', '/frames/tags', { frames: [frame.id], add, remove })
      const kept = of(frame).filter(tag => !remove.includes(tag))
      setChanged(last => new Map(last).set(frame.id, [...new Set([...kept, ...add])].sort()))
      known.reload()
    },
  }
}
