import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type ClipModel, loadModel } from '@sightline/core/clip/model.js'
import { ruleScore } from '@sightline/core/clip/rule-score.js'
import { meanDirection } from '@sightline/core/clip/text-encoder.js'
import { fault } from '@sightline/core/errors.js'
import { NEUTRAL_PROMPTS, STARTER_RULES } from '@sightline/core/moderation/starter-rules.js'
import { dot, l2Normalize } from '@sightline/core/vector.js'
import { readTexts } from './texts.ts'

/** What an image tower's vectors are judged by: texts, embedded by the text tower of the same vector space. */
export interface TextSide {
  readonly fingerprint: string
  readonly dim: number
  readonly labels: readonly Float32Array[]
  /** Where the labels come from. */
  readonly labelSource: string
  readonly rules: readonly JudgedRule[]
  readonly neutral: readonly Float32Array[]
  readonly logitScale: number
}

interface JudgedRule {
  readonly on: number
  readonly minSimilarity: number
  readonly positives: readonly Float32Array[]
  readonly negatives: readonly Float32Array[]
}

/** How often two image towers decide alike on the same pictures. */
export interface Decisions {
  /** Fingerprint of the model whose text tower gave the texts' vectors. */
  readonly textModel: string
  readonly pictures: number
  /** Share of pictures with the same most similar label, and of how many labels. */
  readonly sameLabel: number
  readonly labels: number
  readonly labelSource: string
  /** Share of pictures on which every starter rule decides the same at its `on`. */
  readonly sameRules: number
  readonly rules: number
  /** How often a rule fires: agreement says little where none does. */
  readonly fired: { readonly float: number; readonly quantised: number }
}

interface ZeroShot {
  readonly sets: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly caltech101: {
    readonly templates: readonly string[]
    readonly names: Readonly<Record<string, string>>
  }
}

/**
 * Embeds labels and rules with a model directory's text tower.
 * @param model a model directory, or its manifest.json
 * @param labelFile one label a line; undefined: the classes of zero-shot.json
 * @throws MODEL_*, TEXT_INVALID, QUANTISE_NO_SAMPLES when there is no label
 */
export async function loadTextSide(model: string, labelFile: string | undefined): Promise<TextSide> {
  const dir = basename(model) === 'manifest.json' ? dirname(model) : model
  const labels =
    labelFile === undefined ? zeroShotClasses() : (await readTexts(labelFile)).map(line => [line])
  if (labels.length === 0) throw fault('QUANTISE_NO_SAMPLES', `${labelFile} holds no label`)
  const clip = await loadModel({ dir, towers: ['text'] })
  try {
    const rules: JudgedRule[] = []
    for (const { templates, positives, negatives, on, minSimilarity } of STARTER_RULES) {
      const vectorsOf = (prompts: readonly string[]) =>
        Promise.all(prompts.map(prompt => vectorOf(clip, filled(templates, prompt))))
      rules.push({
        on,
        minSimilarity,
        positives: await vectorsOf(positives),
        negatives: await vectorsOf(negatives),
      })
    }
    return {
      fingerprint: clip.fingerprint,
      dim: clip.dim,
      labels: await Promise.all(labels.map(prompts => vectorOf(clip, prompts))),
      labelSource: labelFile ?? 'zero-shot.json',
      rules,
      neutral: await Promise.all(NEUTRAL_PROMPTS.map(prompt => vectorOf(clip, [prompt]))),
      logitScale: clip.manifest.logitScale,
    }
  } finally {
    await clip.close()
  }
}

/** Compares what two towers' raw outputs for the same pictures, in order, would be taken for. */
export function compareDecisions(
  text: TextSide,
  float: readonly Float32Array[],
  quantised: readonly Float32Array[],
): Decisions {
  const [a, b] = [float.map(vector => decide(text, vector)), quantised.map(vector => decide(text, vector))]
  const share = (same: (at: number) => boolean) => a.filter((_, at) => same(at)).length / a.length
  const count = (each: readonly Decision[]) => each.flatMap(({ fires }) => fires).filter(Boolean).length
  return {
    textModel: text.fingerprint,
    pictures: a.length,
    sameLabel: share(at => a[at]!.label === b[at]!.label),
    labels: text.labels.length,
    labelSource: text.labelSource,
    sameRules: share(at => a[at]!.fires.every((fires, rule) => fires === b[at]!.fires[rule])),
    rules: text.rules.length,
    fired: { float: count(a), quantised: count(b) },
  }
}

interface Decision {
  readonly label: number
  readonly fires: readonly boolean[]
}

/** A vector without direction is like nothing and fires nothing. */
function decide({ labels, rules, neutral, logitScale }: TextSide, raw: Float32Array): Decision {
  let vector: Float32Array
  try {
    vector = l2Normalize(raw.slice())
  } catch {
    return { label: -1, fires: rules.map(() => false) }
  }
  const similarities = (texts: readonly Float32Array[]) => texts.map(text => dot(text, vector))
  const scores = similarities(labels)
  const fires = rules.map(({ on, minSimilarity, positives, negatives }) => {
    const best = Math.max(...similarities(positives))
    const competitors = [...similarities(negatives), ...similarities(neutral)]
    return best >= minSimilarity && ruleScore(best, competitors, logitScale) >= on
  })
  return { label: scores.indexOf(Math.max(...scores)), fires }
}

async function vectorOf(clip: ClipModel, texts: readonly string[]): Promise<Float32Array> {
  return meanDirection(await clip.encodeTexts(texts))
}

/** Every class of zero-shot.json once, each as the prompts that are averaged for it. */
function zeroShotClasses(): (readonly string[])[] {
  const { sets, caltech101 } = JSON.parse(
    readFileSync(new URL('../../zero-shot.json', import.meta.url), 'utf8'),
  ) as ZeroShot
  const names = [...new Set(Object.values(caltech101.names))]
  return [
    ...Object.values(sets).flatMap(classes => Object.values(classes)),
    ...names.map(name => filled(caltech101.templates, name)),
  ]
}

function filled(templates: readonly string[], prompt: string): string[] {
  return templates.map(template => template.replace('{}', prompt))
}
