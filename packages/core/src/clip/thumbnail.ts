import {
  checkFrame,
  type DecodeOptions,
  type ImageInput,
  imageFault,
  openFile,
  openFrame,
} from './image-file.ts'

/**
 * A small upright JPEG without metadata, so that neither a place nor a serial number leaves the device with it. Never
 * enlarges. For the eye, so JPEG is decoded at a fraction of its size where that suffices.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE
 */
export async function thumbnail(
  input: ImageInput,
  maxSidePx = 256,
  options: DecodeOptions = {},
): Promise<Buffer> {
  const image = input instanceof Uint8Array ? openFile(input, options) : openFrame(checkFrame(input, options))
  try {
    return await image
      .resize({
        width: maxSidePx,
        height: maxSidePx,
        fit: 'inside',
        kernel: 'cubic',
        withoutEnlargement: true,
      })
      .removeAlpha()
      .toColourspace('srgb')
      .jpeg({ quality: 75 })
      .toBuffer()
  } catch (error) {
    throw imageFault(error, options)
  }
}

/** Longer side of what is left of a blurred picture: where something is, not what it is. */
const BLURRED_SIDE_PX = 16

/**
 * A small JPEG like `thumbnail`, of which only colours and coarse shapes are left: the picture is shrunk to 16 pixels on
 * its longer side, those are smoothed, and the rest is interpolation. Nothing of it can be had back.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE
 */
export async function blurredThumbnail(
  input: ImageInput,
  sidePx = 256,
  options: DecodeOptions = {},
): Promise<Buffer> {
  const image = input instanceof Uint8Array ? openFile(input, options) : openFrame(checkFrame(input, options))
  try {
    const { data, info } = await image
      .resize({
        width: BLURRED_SIDE_PX,
        height: BLURRED_SIDE_PX,
        fit: 'inside',
        kernel: 'cubic',
        withoutEnlargement: true,
      })
      .removeAlpha()
      .toColourspace('srgb')
      .blur(1)
      .raw()
      .toBuffer({ resolveWithObject: true })
    // Another pipeline: in one, the image library would shrink and enlarge in one step.
    return await openFrame({ data, width: info.width, height: info.height })
      .resize({ width: sidePx, height: sidePx, fit: 'inside', kernel: 'cubic' })
      .jpeg({ quality: 60 })
      .toBuffer()
  } catch (error) {
    throw imageFault(error, options)
  }
}
