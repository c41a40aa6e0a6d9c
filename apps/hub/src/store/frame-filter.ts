import type { Frame, FrameFilter } from './record-store.ts'
import { inScope } from './source-scope.ts'

type Named = Pick<Frame, 'site' | 'node' | 'camera'>

/** Whether the filter says anything of site, node or camera. */
export function namesSources({ site, node, camera, sites, cameras, scope }: FrameFilter): boolean {
  return [site, node, camera, sites, cameras, scope].some(part => part !== undefined)
}

export function sourceMatches(filter: FrameFilter, { site, node, camera }: Named): boolean {
  return (
    (filter.site ?? site) === site &&
    (filter.node ?? node) === node &&
    (filter.camera ?? camera) === camera &&
    (filter.sites?.includes(site) ?? true) &&
    (filter.cameras?.includes(`${site}/${node}/${camera}`) ?? true) &&
    (filter.scope === undefined || inScope(filter.scope, { site, node, camera }))
  )
}

export function timeMatches({ from, to }: FrameFilter, at: number): boolean {
  return at >= (from ?? Number.NEGATIVE_INFINITY) && at < (to ?? Number.POSITIVE_INFINITY)
}

/** Without a rule, `fired` asks for frames on which any rule fired, or none. */
export function verdictsMatch({ rule, fired }: FrameFilter, verdicts: Frame['verdicts']): boolean {
  if (rule === undefined) return fired === undefined || verdicts.some(verdict => verdict.fired) === fired
  return verdicts.some(verdict => verdict.rule === rule && (fired ?? verdict.fired) === verdict.fired)
}

export function tagsMatch({ tag }: FrameFilter, tags: Frame['tags']): boolean {
  return tag === undefined || tags?.includes(tag) === true
}

export function frameMatches(filter: FrameFilter, frame: Omit<Frame, 'ord' | 'id'>): boolean {
  return (
    sourceMatches(filter, frame) &&
    timeMatches(filter, frame.capturedAt) &&
    verdictsMatch(filter, frame.verdicts) &&
    tagsMatch(filter, frame.tags)
  )
}
