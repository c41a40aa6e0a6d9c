import type { Question, SavedQuestion, SavedSearch, SearchRequest } from './api-types.ts'
import { joinWords, splitWords } from './minus-terms.ts'
import { formatHash } from './router.ts'
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
  return subject && { ...subject, ...negativesOf(query.text) }
}

/** Of the filters all but the time: a standing search looks at what is to come. The picture wins over the address. */
export function standingQuestion(query: SearchQuery, picture?: Blob): SavedQuestion | undefined {
  const question = picture === undefined ? questionOf(query) : { image: picture, ...negativesOf(query.text) }
  if (question === undefined) return undefined
  const filter = lastingFilter(query)
  return Object.keys(filter).length === 0 ? question : { ...question, filter }
}

function negativesOf(text: string): Pick<Question, 'negatives'> {
  const negatives = splitWords(text).unwanted.map(term => ({ text: term }))
  return negatives.length === 0 ? {} : { negatives }
}

const FRAME_ID = /^[^~\s]+~[^~\s]+~[0-9A-Z]{26}~\d+$/
/** How the hub lists what is no words. */
const NO_WORDS = ['image', 'vector']

/** Where the page asks all stored frames what a saved search asks; undefined where no address can say it. */
export function savedAddress({
  subjects,
  filter,
}: Pick<SavedSearch, 'subjects' | 'filter'>): string | undefined {
  const { site, node, camera, rule, fired, tag, ...others } = filter
  const isUnwanted = (subject: string) => subject.startsWith('- ')
  const unwanted = subjects.filter(isUnwanted).map(subject => subject.slice(2))
  const [wanted, ...more] = subjects.filter(subject => !isUnwanted(subject))
  if (wanted === undefined || more.length > 0 || Object.keys(others).length > 0) return undefined
  if ([wanted, ...unwanted].some(subject => NO_WORDS.includes(subject))) return undefined
  // The page asks by a rule only for frames on which it fired.
  if (rule !== undefined && fired !== true) return undefined
  const byFrame = FRAME_ID.test(wanted)
  const words = { wanted: byFrame ? '' : wanted, unwanted }
  const text = joinWords(words)
  if (JSON.stringify(splitWords(text)) !== JSON.stringify(words)) return undefined
  const verdict = rule !== undefined || fired === undefined ? undefined : fired ? 'yes' : 'no'
  return formatHash('search', {
    text,
    like: byFrame ? wanted : undefined,
    site,
    node,
    camera,
    rule,
    fired: verdict,
    tag,
  })
}
