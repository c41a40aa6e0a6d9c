import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The model that ships with the repository. */
export const EMBEDDED_MODEL = fileURLToPath(
  new URL('../../../models/quantized/sightline-mini/', import.meta.url),
)

/** Where an agent keeps what it found out about its model: checks, providers, canaries, engines. */
export function modelCacheDir(dataDir: string): string {
  return join(dataDir, 'model')
}
