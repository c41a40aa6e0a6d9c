import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { PictureFetcher } from '../../fetch/picture-fetcher.ts'
import { installPictureUrls } from '../picture-urls.ts'
import { pictureRoutes } from './pictures.ts'
import { type SavedSearchParts, savedSearchRoutes } from './saved-searches.ts'
import { type SearchParts, searchRoutes } from './search.ts'
import { zeroShotRoutes } from './zero-shot.ts'

export type QuestionParts = SearchParts & SavedSearchParts & { readonly pictures: PictureFetcher }

/** Every route that is asked about a subject: words, a picture, its address, a stored frame or a vector. */
export const questionRoutes: FastifyPluginAsyncTypebox<QuestionParts> = async (app, parts) => {
  installPictureUrls(app, parts.pictures)
  await app.register(searchRoutes, parts)
  await app.register(savedSearchRoutes, parts)
  await app.register(zeroShotRoutes, parts)
  await app.register(pictureRoutes, parts)
}
