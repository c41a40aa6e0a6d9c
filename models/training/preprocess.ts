import sharp from 'sharp'

export const IMAGE_SIZE = 224
export const PIXELS = IMAGE_SIZE * IMAGE_SIZE
/** Keras' "caffe" means in RGB order, on the 0..255 scale. */
export const CHANNEL_MEANS = [123.68, 116.779, 103.939]

/** Part of a photo, every number a share of its width or height. */
export interface Crop {
  left: number
  top: number
  width: number
  height: number
}

/** One photo as planar float32 [3, 224, 224], squashed to the square and normalised as the towers expect. */
export async function decodePixels(jpeg: Buffer, crop?: Crop): Promise<Float32Array> {
  const image = sharp(jpeg).toColourspace('srgb').removeAlpha()
  if (crop) {
    const { width, height } = await image.metadata()
    image.extract({
      left: Math.floor(crop.left * width),
      top: Math.floor(crop.top * height),
      width: Math.floor(crop.width * width),
      height: Math.floor(crop.height * height),
    })
  }
  const bytes = await image.resize(IMAGE_SIZE, IMAGE_SIZE, { fit: 'fill', kernel: 'cubic' }).raw().toBuffer()
  const pixels = new Float32Array(3 * PIXELS)
  for (let channel = 0; channel < 3; channel++)
    for (let i = 0; i < PIXELS; i++)
      pixels[channel * PIXELS + i] = bytes[i * 3 + channel] - CHANNEL_MEANS[channel]
  return pixels
}

/** Mirrors planar pixels left to right. */
export function flipped(pixels: Float32Array): Float32Array {
  const mirror = new Float32Array(pixels.length)
  for (let row = 0; row < pixels.length; row += IMAGE_SIZE)
    for (let x = 0; x < IMAGE_SIZE; x++) mirror[row + x] = pixels[row + IMAGE_SIZE - 1 - x]
  return mirror
}
