import sharp from 'sharp'
import { type DecodeOptions, decodeImage, type ImageInput } from './image-decode.ts'

/**
 * A small upright JPEG without metadata, so that neither a place nor a serial number leaves the device with it. Never
 * enlarges.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE
 */
export async function thumbnail(
  input: ImageInput,
  maxSidePx = 256,
  options: DecodeOptions = {},
): Promise<Buffer> {
  const { data, width, height } = await decodeImage(input, options)
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(maxSidePx, maxSidePx, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 75 })
    .toBuffer()
}
