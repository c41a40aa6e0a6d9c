import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for the tests of one file: `make` in beforeAll, `remove` in afterAll. */
export function temporaryDir(prefix: string) {
  let path = ''
  return {
    get path() {
      return path
    },
    async make() {
      path = await mkdtemp(join(tmpdir(), prefix))
    },
    remove: () => rm(path, { recursive: true, force: true }),
  }
}
