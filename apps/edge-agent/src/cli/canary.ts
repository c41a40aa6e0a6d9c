import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { embedCanary, writeCanary } from '@sightline/core/clip/canary.js'
import { loadModel } from '@sightline/core/clip/model.js'
import { Command } from 'commander'

/** `canary DIR`: gives a model directory its known embeddings. */
export function canaryCommand(): Command {
  return new Command('canary')
    .description('compute the canaries of a model on this CPU and write them into its manifest')
    .argument('<dir>', 'model directory with manifest.json and both towers')
    .action(async (dir: string) => {
      await writeCanaryOnCpu(resolve(dir))
      console.log(`canary written: ${join(dir, 'manifest.json')}`)
    })
}

async function writeCanaryOnCpu(dir: string): Promise<void> {
  const cacheDir = await mkdtemp(join(tmpdir(), 'sightline-canary-'))
  const model = await loadModel({ dir, cacheDir })
  try {
    await writeCanary(dir, () => embedCanary(model, ['image', 'text']))
  } finally {
    await model.close()
    await rm(cacheDir, { recursive: true, force: true })
  }
}
