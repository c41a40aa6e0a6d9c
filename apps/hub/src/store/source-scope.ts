import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import type { CameraName } from './record-store.ts'

const PART = /^[A-Za-z0-9._*-]{1,64}$/

/** Whether this is `SITE`, `SITE/NODE` or `SITE/NODE/CAMERA`, each part a glob. */
export function isScopeGlob(glob: string): boolean {
  const parts = glob.split('/')
  return parts.length <= 3 && parts.every(part => PART.test(part))
}

/** Part by part, so that a star never reaches over a slash into another site. */
export function inScope(scope: readonly string[], { site, node, camera }: CameraName): boolean {
  return scope.some(glob => partsMatch(glob, [site, node, camera]))
}

/** Whether the scope lets something of this device be seen. */
export function nodeInScope(
  scope: readonly string[],
  { site, node }: Pick<CameraName, 'site' | 'node'>,
): boolean {
  return scope.some(glob => partsMatch(glob, [site, node]))
}

function partsMatch(glob: string, names: readonly string[]): boolean {
  const parts = glob.split('/')
  return names.every((name, i) => parts[i] === undefined || matchesCamera([parts[i]], name))
}
