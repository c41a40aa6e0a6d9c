import type { Question, SavedQuestion, SearchRequest } from './api-types.ts'
import { splitWords } from './minus-terms.ts'
import { lastingFilter, type SearchQuery } from './search-query.ts'

/** As the hub takes them. */
const MAX_TEXT = 2000
const MAX_UNWANTED = 31

/** Why words cannot be searched for; undefined when they can. */
export function wordsFault(text: string): string | undefined {
  if (text.length > MAX_TEXT) return `Say it in fewer words: at most ${MAX_TEXT} letters are searched for.`
  if (splitWords(text).unwanted.length <= MAX_UNWANTED) return undefined
  return `Drop some of the words with a minus: at most ${MAX_UNWANTED} are taken away.`
}

/** What the words or the frame in an address ask; undefined: nothing. */
export function subjectOf({
  text,
  like,
}: Pick<SearchQuery, 'text' | 'like'>): Exclude<SearchRequest['subject'], { image: Blob }> | undefined {
  const { wanted } = splitWords(text)
  if (wanted !== '') return { text: wanted }
  return like === '' ? undefined : { id: like }
}

/** The same with what it should not be like. */
export function questionOf(query: Pick<SearchQuery, 'text' | 'like'>): Question | undefined {
  const subject = subjectOf(query)
  if (subject === undefined) return undefined
  const negatives = splitWords(query.text).unwanted.map(text => ({ text }))
  return negatives.length === 0 ? subject : { ...subject, negatives }
}

/** Of the filters all but the time: a standing search looks at what is to come. */
export function standingQuestion(query: SearchQuery): SavedQuestion | undefined {
  const question = questionOf(query)
  if (question === undefined) return undefined
  const filter = lastingFilter(query)
  return Object.keys(filter).length === 0 ? question : { ...question, filter }
}
