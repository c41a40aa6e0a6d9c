import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import type { RulesDocument } from './api-types.ts'
import { type Resource, useResource, useServices } from './services.ts'

export interface RulesHolder extends Resource<RulesDocument> {
  /** Puts what the hub answered to a change in place of what was loaded. */
  readonly replace: (document: RulesDocument) => void
  /** The name of a rule; its id when the rule is gone. */
  readonly nameOf: (id: string) => string
}

export const RulesContext = createContext<RulesHolder | undefined>(undefined)

export function useRules(): RulesHolder {
  return useContext(RulesContext)!
}

/** Loads the rules for the whole page: verdicts name rules by id only. */
export function useRulesHolder(): RulesHolder {
  const { api, live } = useServices()
  const loaded = useResource('rules', signal => api.rules(signal))
  const [changed, setChanged] = useState<RulesDocument>()
  const newer =
    changed !== undefined && changed.version > (loaded.data?.version ?? -1) ? changed : loaded.data
  const version = newer?.version
  const { reload } = loaded
  // A device that applied newer rules says that somebody changed them elsewhere.
  useEffect(() => {
    if (version === undefined) return
    const unsubscribe = live.subscribe(() => {
      const newest = Math.max(...[...live.view.nodes.values()].map(node => node.rulesVersion ?? 0))
      if (newest <= version) return
      unsubscribe()
      reload()
    })
    return unsubscribe
  }, [live, version])
  return {
    ...loaded,
    data: newer,
    replace: setChanged,
    nameOf: id => newer?.rules.find(rule => rule.id === id)?.name ?? id,
  }
}
