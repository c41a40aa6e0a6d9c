import sharp from 'sharp'
import { type DecodeOptions, decodeImage, type ImageInput, type Size } from './image-decode.ts'

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
  const shrink = ({ width, height }: Size): Size => {
    const scale = Math.min(1, maxSidePx / Math.max(width, height))
    return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
  }
  const { data, width, height } = await decodeImage(input, { ...options, shrink })
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(maxSidePx, maxSidePx, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 75 })
    .toBuffer()
}
