import { join } from 'node:path'
import { loadModel } from '@sightline/core'
import { BareSession, imageTensor, readyTensor } from './bare-session.ts'
import { BATCH, besideBare } from './beside-bare.ts'
import { type BenchOptions, type Comparison, compareCost, interleave, type Section } from './measure.ts'
import { peakMemory } from './peak-memory.ts'
import { cameraPictures, writePictures } from './pictures.ts'
import { noise, VIT } from './vit-graph.ts'
import { type VitModel, vitModel } from './vit-model.ts'

/** What INT8 gains, and what Sightline adds to it, on the architecture that most people will run. */
export async function vit({ quick, dir }: BenchOptions): Promise<Section> {
  const vit = await vitModel(dir)
  const pictures = await cameraPictures(BATCH)
  const comparisons = [...(await besideFloat(vit, quick ? 2 : 12)), ...(await endToEnd(vit, pictures, quick))]
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  return {
    title: 'INT8 on ViT-B/32',
    comparisons,
    figures: [
      { what: 'image tower, float32 to INT8', value: `${mb(vit.floatBytes)} to ${mb(vit.int8Bytes)}` },
      await peakMemory('ViT-B/32 INT8', vit.dir, await writePictures(join(dir, 'pictures'), pictures)),
    ],
    notes: [
      'The image tower of CLIP ViT-B/32 with random weights, quantised by `sightline-models quantize --mode dynamic`.',
      'INT8 beside float32: both bare `session.run` on a ready tensor. JPEG to embedding: as above, pictures of 1280x720 cut to 224x224 as CLIP does it.',
    ],
  }
}

async function besideFloat({ float, int8 }: VitModel, rounds: number): Promise<Comparison[]> {
  const [full, small] = [await BareSession.open(float), await BareSession.open(int8)]
  const race = async (batch: number) => {
    const input = imageTensor(noise(batch * 3 * VIT.size ** 2, { seed: 5, spread: 1 }), VIT.size)
    const samples = await interleave({ ours: () => small.run(input), theirs: () => full.run(input) }, rounds)
    return compareCost({
      ...samples,
      what: `ViT-B/32 INT8 (dynamic), batch ${batch}`,
      beside: 'the same in float32',
      items: batch,
      unit: 'ms a picture',
      target: 'at most 0.385 (2.6 times as fast)',
    })
  }
  try {
    return [await race(1), await race(BATCH)]
  } finally {
    await Promise.all([full.close(), small.close()])
  }
}

async function endToEnd(
  vit: VitModel,
  pictures: readonly Uint8Array[],
  quick: boolean,
): Promise<Comparison[]> {
  const model = await loadModel({ dir: vit.dir, towers: ['image'] })
  await model.warmUp()
  const bare = await BareSession.open(vit.int8)
  try {
    const ready = await readyTensor(model, pictures)
    const rounds = quick ? 2 : 8
    return await besideBare({ model, bare, pictures, ready, rounds, name: 'JPEG to embedding' })
  } finally {
    await Promise.all([model.close(), bare.close()])
  }
}
