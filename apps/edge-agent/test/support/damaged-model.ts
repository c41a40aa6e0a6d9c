import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EMBEDDED_MODEL } from '@sightline/edge-agent/model-dir.js'

/** The embedded model's manifest beside an image tower that is not what it says. */
export async function writeDamagedModel(dir: string): Promise<void> {
  await mkdir(dir)
  await copyFile(join(EMBEDDED_MODEL, 'manifest.json'), join(dir, 'manifest.json'))
  await writeFile(join(dir, 'image.onnx'), 'oops')
}
