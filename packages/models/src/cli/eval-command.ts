import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel } from '@sightline/core/clip/model.js'
import { dot } from '@sightline/core/vector.js'
import { Command, Option } from 'commander'
import { evaluateModel, type Figure, type FlickrVectors } from '../eval/evaluate.ts'
import { ProgressLines } from './progress-lines.ts'

interface EvalFlags {
  readonly data: string
  readonly against?: string
  readonly json?: string
}

/** `sightline-models eval DIR`: prints held-out quality as it is measured. */
export function evalCommand(): Command {
  return new Command('eval')
    .description('measure retrieval and zero-shot quality of a model directory on labelled photo sets')
    .argument('<dir>', 'model directory')
    .addOption(
      new Option('--data <dir>', 'folder that holds photos/ with the sets as tars (CONTRIBUTING.md)')
        .env('SIGHTLINE_TEST_DATA')
        .makeOptionMandatory(),
    )
    .option(
      '--against <dir>',
      'also say how far the vectors are from those of this model (INT8 beside float)',
    )
    .option('--json <file>', "write the figures as a manifest's quality section")
    .action(async (dir: string, { data, against, json }: EvalFlags) => {
      const photosDir = join(data, 'photos')
      const figures: Figure[] = []
      const vectors = await evaluate(dir, photosDir, figure => {
        figures.push(figure)
        console.log(figureLine(figure))
      })
      if (against !== undefined) {
        const others = await evaluate(against, photosDir, () => {})
        for (const what of ['images', 'texts'] as const)
          console.log(distanceLine(what, vectors, others, against))
      }
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`)
    })
}

async function evaluate(
  dir: string,
  photosDir: string,
  onFigure: (figure: Figure) => void,
): Promise<FlickrVectors> {
  const progress = new ProgressLines()
  const model = await loadModel({ dir })
  try {
    const show = (figure: Figure) => {
      progress.end()
      onFigure(figure)
    }
    return await evaluateModel({ model, photosDir, onFigure: show, progress })
  } finally {
    progress.end()
    await model.close()
  }
}

function figureLine({ dataset, metric, value }: Figure): string {
  return `${dataset.padEnd(40)} ${metric.replace(/, %$/, '').padEnd(26)} ${value.toFixed(1).padStart(5)} %`
}

function distanceLine(
  what: 'images' | 'texts',
  ours: FlickrVectors,
  theirs: FlickrVectors,
  name: string,
): string {
  const cosines = ours[what].map((vector, i) => dot(vector, theirs[what][i]!))
  const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length
  const lowest = cosines.reduce((least, value) => Math.min(least, value), 1)
  return `${what} beside ${name}: mean cosine ${mean.toFixed(4)}, lowest ${lowest.toFixed(4)}`
}
