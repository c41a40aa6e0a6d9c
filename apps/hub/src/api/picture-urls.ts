import { fault } from '@sightline/core'
import type { FastifyInstance } from 'fastify'
import type { PictureFetcher } from '../fetch/picture-fetcher.ts'

/** Of one request. */
const MAX_URLS = 4

interface Subject {
  image?: string
  imageUrl?: string
}

/** Puts fetched pictures in the place of their addresses, before a handler sees the body of a question. */
export function installPictureUrls(app: FastifyInstance, pictures: Pick<PictureFetcher, 'fetch'>): void {
  app.addHook('preHandler', async ({ body }) => {
    const subjects = subjectsOf(body).filter(({ imageUrl }) => imageUrl !== undefined)
    if (subjects.length > MAX_URLS)
      throw fault('API_BAD_REQUEST', `${subjects.length} addresses of pictures; at most ${MAX_URLS} at once`)
    for (const subject of subjects) {
      if (subject.image !== undefined) throw fault('API_BAD_REQUEST', 'give image or imageUrl, not both')
      subject.image = (await pictures.fetch(subject.imageUrl!)).toString('base64')
      delete subject.imageUrl
    }
  })
}

/** The body itself, and what it lists. */
function subjectsOf(body: unknown): Subject[] {
  if (typeof body !== 'object' || body === null) return []
  const { positives, negatives, matches } = body as Record<string, unknown>
  const listed = [positives, negatives, matches].flatMap(list =>
    Array.isArray(list) ? (list as Subject[]) : [],
  )
  return [body as Subject, ...listed]
}
