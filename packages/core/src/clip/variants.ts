import type { ModelFile } from './model-files.ts'
import { type ModelManifest, VARIANTS, type VariantName } from './model-manifest.ts'

/** One file of the image tower: the manifest's own, or one of its variants. */
export interface TowerFile {
  /** Undefined for the manifest's own. */
  readonly variant: VariantName | undefined
  readonly kind: VariantName
  readonly precision: ModelManifest['image']['precision']
  readonly file: ModelFile
  readonly maxBatch: number | undefined
}

/** The manifest's own file first. */
export function imageFiles({ image }: Pick<ModelManifest, 'image'>): TowerFile[] {
  const { file, precision, maxBatch, variants = {} } = image
  const own = { variant: undefined, kind: kindOf(image), precision, file, maxBatch }
  const others = VARIANTS.flatMap(variant => {
    const found = variants[variant]
    if (found === undefined) return []
    return [
      { variant, kind: variant, precision: precisionOf(variant), file: found.file, maxBatch: found.maxBatch },
    ]
  })
  return [own, ...others]
}

/** The image tower with the file of one variant. */
export function imageTowerOf(
  { image }: Pick<ModelManifest, 'image'>,
  variant: VariantName | undefined,
): ModelManifest['image'] {
  const chosen = imageFiles({ image }).find(each => each.variant === variant)
  if (variant === undefined || chosen === undefined) return image
  const { maxBatch: _, ...rest } = image
  const { file, precision, maxBatch } = chosen
  return { ...rest, file, precision, ...(maxBatch === undefined ? {} : { maxBatch }) }
}

/** Of the file that the manifest names itself: an int8 tower that must not share batches scales activations over them. */
function kindOf({ precision, maxBatch }: ModelManifest['image']): VariantName {
  if (precision !== 'int8') return precision
  return maxBatch === 1 ? 'dynamic' : 'qdq'
}

function precisionOf(variant: VariantName): ModelManifest['image']['precision'] {
  return variant === 'fp32' || variant === 'fp16' ? variant : 'int8'
}
