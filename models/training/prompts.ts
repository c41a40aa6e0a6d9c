import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface ClassNames {
  templates: string[]
  kinds: [first: number, last: number, kind: string][]
  overrides: Record<string, string[]>
  caltech101: Record<string, string>
}

interface Concepts {
  templates: string[]
  concepts: Record<string, string>
}

const names: ClassNames = readJson('class-names.json')
const vocabulary: Concepts = readJson('concepts.json')

/** Phrases for each of the 1000 ImageNet classes: templates on its main name, its synonyms, and its kind. */
export function imagenetPrompts(resnetPackageDir: string): string[][] {
  const labels: Record<string, string> = JSON.parse(
    readFileSync(join(resnetPackageDir, 'assets', 'labels.json'), 'utf8'),
  )
  return Object.entries(labels).map(([index, label]) => {
    const [main, ...synonyms] = names.overrides[index] ?? [label.replaceAll('_', ' ')]
    const kind = names.kinds.find(([first, last]) => Number(index) >= first && Number(index) <= last)?.[2]
    const prompts = names.templates.map(template => template.replace('{}', main))
    for (const synonym of synonyms) prompts.push(`a photo of a ${synonym}`)
    if (kind) prompts.push(`a photo of a ${main}, a ${kind}`)
    return prompts
  })
}

/** Phrases for one Caltech-101 folder. */
export function caltechPrompts(folder: string): string[] {
  const name = names.caltech101[folder] ?? folder.toLowerCase().replaceAll('_', ' ')
  return names.templates.map(template => template.replace('{}', name))
}

/** Short phrases for what captions often name, and the words in a caption that name it. */
export function conceptPrompts(): { prompts: string[]; words: string[] }[] {
  return Object.entries(vocabulary.concepts).map(([phrase, words]) => ({
    prompts: vocabulary.templates.map(template => template.replace('{}', phrase)),
    words: words.split(' '),
  }))
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8'))
}
