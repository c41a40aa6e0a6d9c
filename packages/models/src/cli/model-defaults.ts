import { join } from 'node:path'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { GraphIndex } from '../onnx/graph.ts'
import { readModel } from '../onnx/model-file.ts'
import { planInputs } from '../quantize/inputs.ts'
import type { PictureSettings } from '../quantize/pictures.ts'
import type { TextSettings } from '../quantize/texts.ts'

export interface ModelDefaults {
  readonly picture: PictureSettings
  readonly text: Omit<TextSettings, 'tokenizerPath' | 'tokenizerConfigPath'> &
    Partial<Pick<TextSettings, 'tokenizerPath' | 'tokenizerConfigPath'>>
}

/** OpenAI CLIP's; nearly every CLIP-like model keeps them. */
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
const CLIP_SIZE = 224
const DEFAULT_CONTEXT = 128

/** Preprocessing from the manifest of `modelDir`, or what the model's own inputs tell. */
export async function readModelDefaults(modelPath: string, modelDir?: string): Promise<ModelDefaults> {
  if (modelDir !== undefined) {
    const { image, text } = await readManifest(modelDir)
    return {
      picture: image,
      text: {
        tokenizerPath: join(modelDir, text.tokenizer.path),
        tokenizerConfigPath: join(modelDir, text.tokenizerConfig.path),
        contextLength: text.contextLength,
        padTo: text.padTo,
        padId: text.padId,
        clean: text.clean,
      },
    }
  }
  const plan = inputsOf(new GraphIndex((await readModel(modelPath)).model))
  const length = plan?.text?.length
  return {
    picture: { size: plan?.picture?.size ?? CLIP_SIZE, resize: 'crop', mean: CLIP_MEAN, std: CLIP_STD },
    text: {
      contextLength: length ?? DEFAULT_CONTEXT,
      padTo: length === undefined ? 'longest' : 'contextLength',
      padId: 0,
      clean: length === undefined ? 'none' : 'clip',
    },
  }
}

/** Inputs that nobody can feed only matter once samples are asked for. */
function inputsOf(index: GraphIndex): ReturnType<typeof planInputs> | undefined {
  try {
    return planInputs(index)
  } catch {
    return undefined
  }
}
