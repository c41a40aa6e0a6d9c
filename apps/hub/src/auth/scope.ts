import type { CameraName, FrameFilter } from '../store/record-store.ts'
import { inScope, nodeInScope } from '../store/source-scope.ts'

/** What of the fleet a caller may see: everything, or the sites, devices and cameras that some globs name. */
export class Scope {
  static readonly everything = new Scope(undefined)
  readonly globs: readonly string[] | undefined

  /** @param globs `SITE`, `SITE/NODE` or `SITE/NODE/CAMERA`; undefined: everything. An empty list is nothing. */
  constructor(globs: readonly string[] | undefined) {
    this.globs = globs
  }

  get limited(): boolean {
    return this.globs !== undefined
  }

  /** The filter, and no more than the caller may see of it. Every listing and search goes through here. */
  narrow<Filter extends FrameFilter>(filter: Filter): Filter {
    return this.globs === undefined ? filter : { ...filter, scope: this.globs }
  }

  sees(source: CameraName): boolean {
    return this.globs === undefined || inScope(this.globs, source)
  }

  seesNode(node: Pick<CameraName, 'site' | 'node'>): boolean {
    return this.globs === undefined || nodeInScope(this.globs, node)
  }
}
