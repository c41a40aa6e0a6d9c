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
    throw imageFault(error)
  }
}
