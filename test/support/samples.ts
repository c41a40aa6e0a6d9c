import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ROOT } from './processes.ts'

export const SAMPLES = join(ROOT, 'deploy/samples/cameras')

export interface SamplePhoto {
  readonly camera: string
  /** File name without number and ending: `tabby-cat-face`. */
  readonly subject: string
  readonly path: string
}

export async function samplePhotos(): Promise<SamplePhoto[]> {
  const photos: SamplePhoto[] = []
  for (const camera of (await readdir(SAMPLES)).sort()) {
    for (const file of (await readdir(join(SAMPLES, camera))).sort()) {
      photos.push({
        camera,
        subject: basename(file, '.jpg').replace(/^\d+-/, ''),
        path: join(SAMPLES, camera, file),
      })
    }
  }
  return photos
}

export async function samplePhoto(subject: string): Promise<SamplePhoto> {
  const photo = (await samplePhotos()).find(candidate => candidate.subject === subject)
  if (photo === undefined) throw new RangeError(`no sample photo ${subject}`)
  return photo
}

/** A folder with the named subjects in this order, as frames of one camera. */
export async function folderOf(dir: string, subjects: readonly string[]): Promise<string> {
  await mkdir(dir, { recursive: true })
  for (const [position, subject] of subjects.entries()) {
    const photo = await samplePhoto(subject)
    await copyFile(photo.path, join(dir, `${String(position).padStart(3, '0')}-${subject}.jpg`))
  }
  return dir
}
