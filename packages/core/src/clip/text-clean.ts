import { decodeHTML } from 'entities'

/**
 * The cleaning that CLIP's text went through in training: ftfy's repairs, HTML entities decoded twice, white space
 * collapsed, lower case. ftfy is reproduced where it changes what people type or paste: full-width forms, ligatures,
 * curly quotes, UTF-8 read as Windows-1252, control characters; not its statistical guesses at rarer encodings.
 */
export function cleanClipText(text: string): string {
  const unescaped = decodeHTML(decodeHTML(repair(text)))
  return collapse(unescaped).toLowerCase()
}

/** Python's idea of white space, which is not JavaScript's: without U+FEFF, with U+001C..1F and U+0085. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these control characters are white space to Python
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g

function collapse(text: string): string {
  return text.replace(SPACE, ' ').replace(/^ | $/g, '')
}

/** ftfy's `fix_text`, in its order. A second round catches what the first laid bare. */
function repair(text: string): string {
  let repaired = text
  for (let round = 0; round < 3; round++) {
    const before = repaired
    repaired = repairOnce(before)
    if (repaired === before) break
  }
  return repaired.normalize('NFC')
}

function repairOnce(text: string): string {
  // An angle bracket marks real HTML, where ftfy leaves entities to the second step.
  const unescaped = text.includes('<') ? text : text.replace(ENTITY, unescapeEntity)
  return (
    undoWindows1252(unescaped.replace(TERMINAL_ESCAPE, ''))
      .replace(C1_CONTROL, char => WINDOWS_1252[char.charCodeAt(0) - 0x80]!)
      .replace(LIGATURE, char => (char === 'ŉ' ? 'ʼn' : char.normalize('NFKC')))
      .replace(WIDE, char => char.normalize('NFKC'))
      .replace(/[ʼ‘-‛]/g, "'")
      .replace(/[“-‟]/g, '"')
      .replace(/\r\n|[\r\u2028\u2029\x85]/g, '\n')
      // With the u flag a surrogate matches only when it stands alone.
      .replace(/[\ud800-\udfff]/gu, '\ufffd')
      .replace(CONTROL, '')
  )
}

const ENTITY = /&#?[0-9A-Za-z]{1,24};/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control character
const TERMINAL_ESCAPE = /\x1b\[[\d;]*[A-Za-z]/g
const C1_CONTROL = /[\x80-\x84\x86-\x9f]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
const CONTROL = /[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g
const LIGATURE = /[ĲĳŉǄ-ǌǱ-ǳﬀ-ﬆ]/g
const WIDE = /[\u3000\uff01-\uffef]/g

/** `&EACUTE;` is no entity, but what upper-casing made of one. */
function unescapeEntity(entity: string): string {
  const decoded = decodeHTML(entity)
  if (decoded !== entity || !/^&[A-Z]+;$/.test(entity)) return decoded
  const lower = entity.toLowerCase()
  const character = decodeHTML(lower)
  return character === lower ? entity : character.toUpperCase()
}

/** Windows-1252 from 0x80 to 0x9f; the five bytes it leaves open stand for themselves. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

const BYTE_OF = new Map([
  ...Array.from({ length: 0x60 }, (_, i) => [String.fromCharCode(0xa0 + i), 0xa0 + i] as const),
  ...[...WINDOWS_1252].map((char, i) => [char, 0x80 + i] as const),
  ...Array.from({ length: 0x20 }, (_, i) => [String.fromCharCode(0x80 + i), 0x80 + i] as const),
])

/**
 * Letters that are also the lead bytes of Latin (C2..C5), punctuation and ligatures (E2, EF) and emoji (F0), followed
 * by as many continuation bytes as those need.
 */
const MOJIBAKE = (() => {
  const tail = `[${[...BYTE_OF].flatMap(([char, byte]) => (byte < 0xc0 ? [unicodeEscape(char)] : [])).join('')}]`
  return new RegExp(`[\xc2-\xc5]${tail}|[\xe2\xef]${tail}{2}|\xf0${tail}{3}`, 'g')
})()

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Turns `schÃ¶n` back into `schön`: sequences that read as UTF-8 once their characters are taken for bytes. */
function undoWindows1252(text: string): string {
  if (!/[\xc2-\xf4]/.test(text)) return text
  const whole = decodeUtf8(text)
  // All of it decodes, several times over: no accident, whatever the script (`Ð¿Ñ€Ð¸Ð²ÐµÑ‚`).
  if (whole !== undefined && text.length - whole.length >= 2) return whole
  return text.replace(MOJIBAKE, sequence => decodeUtf8(sequence) ?? sequence)
}

function decodeUtf8(text: string): string | undefined {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i) < 0x80 ? text.charCodeAt(i) : BYTE_OF.get(text[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
