/** What is looked for, and what takes away from it: `beach -people -"a dog"`. */
export interface SearchWords {
  readonly wanted: string
  readonly unwanted: readonly string[]
}

/** A minus counts only before a word, and only where a word may begin: not in `t-shirt`, `- a` or `--`. */
const MINUS = /(^|\s)-(?:"([^"]*)"?|([^\s"-]\S*))/g

export function splitWords(text: string): SearchWords {
  const unwanted = new Set<string>()
  const wanted = text.replace(MINUS, (_, before: string, phrase?: string, word?: string) => {
    const term = (phrase ?? word ?? '').trim()
    if (term !== '') unwanted.add(term)
    return before
  })
  return { wanted: wanted.replace(/\s+/g, ' ').trim(), unwanted: [...unwanted] }
}

/** Whether nothing is said of what is looked for: a picture or a frame may say it. */
export function onlyTakesAway(text: string): boolean {
  return splitWords(text).wanted === ''
}

/** The text that `splitWords` reads as these words. */
export function joinWords({ wanted, unwanted }: SearchWords): string {
  const terms = unwanted.map(term => (/\s|^["-]/.test(term) ? `-"${term}"` : `-${term}`))
  return [wanted, ...terms].filter(part => part !== '').join(' ')
}
