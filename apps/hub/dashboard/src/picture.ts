/** A picture to search by, made small before it travels: the model looks at no more than a few hundred pixels. */
const MAX_SIDE = 1024
const MAX_FILE_BYTES = 50_000_000

export interface QueryPicture {
  readonly blob: Blob
  readonly name: string
  /** Object URL of the blob, for the chip in the search box. */
  readonly url: string
}

/** @returns the picture, or one sentence that says why it cannot be used. */
export async function preparePicture(file: File): Promise<QueryPicture | string> {
  if (!file.type.startsWith('image/')) return `${file.name || 'This'} is not a picture.`
  if (file.size > MAX_FILE_BYTES) return `${file.name} is larger than 50 MB.`
  try {
    const bitmap = await createImageBitmap(file)
    const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height))
    const canvas = document.createElement('canvas')
    canvas.width = Math.max(1, Math.round(bitmap.width * scale))
    canvas.height = Math.max(1, Math.round(bitmap.height * scale))
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    bitmap.close()
    const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/jpeg', 0.9))
    if (blob === null) return 'The picture could not be prepared.'
    return { blob, name: file.name || 'Pasted picture', url: URL.createObjectURL(blob) }
  } catch {
    return `${file.name || 'This file'} could not be read as a picture.`
  }
}

/** The first picture among pasted or dropped things. */
export function pictureIn(transfer: DataTransfer | null): File | undefined {
  return [...(transfer?.files ?? [])].find(file => file.type.startsWith('image/'))
}
