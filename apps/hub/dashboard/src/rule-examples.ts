import type { ApiClient } from './api.ts'
import type { RuleForm } from './rule-form.ts'

/** Pictures of a rule: what it looks like, and what it is confused with. */
export type ExampleKind = 'positiveExamples' | 'negativeExamples'

export const EXAMPLE_KINDS: readonly ExampleKind[] = ['positiveExamples', 'negativeExamples']

export interface ExamplePicture {
  readonly id: string
  readonly thumbnailUrl: string | null
}

/** Pictures that the list of kept ones is searched for at most. */
const MAX_LISTED = 1000

export function examplesIn(form: Pick<RuleForm, ExampleKind>, kind: ExampleKind): string[] {
  return form[kind]
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
}

export function kindOf(form: Pick<RuleForm, ExampleKind>, id: string): ExampleKind | undefined {
  return EXAMPLE_KINDS.find(kind => examplesIn(form, kind).includes(id))
}

/** With the picture at this kind and at no other; undefined: at none. */
export function withExample(form: RuleForm, id: string, kind: ExampleKind | undefined): RuleForm {
  const without = (each: ExampleKind) => examplesIn(form, each).filter(other => other !== id)
  const next = (each: ExampleKind) => (each === kind ? [...without(each), id] : without(each)).join('\n')
  if (kindOf(form, id) === kind) return form
  return {
    ...form,
    positiveExamples: next('positiveExamples'),
    negativeExamples: next('negativeExamples'),
  }
}

/** The picture of each id: kept ones by the hub's list, stored frames one by one; null for what is gone. */
export async function examplePictures(
  api: ApiClient,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ExamplePicture | null>> {
  if (ids.length === 0) return new Map()
  const { examples } = await api.read<{ examples: readonly ExamplePicture[] }>(
    `/rules/examples?limit=${MAX_LISTED}`,
    signal,
  )
  const kept = new Map(examples.map(example => [example.id, example]))
  const found = await Promise.all(
    ids.map(async (id): Promise<[string, ExamplePicture | null]> => {
      const known = kept.get(id)
      if (known !== undefined) return [id, known]
      if (id.startsWith('ex:')) return [id, { id, thumbnailUrl: uploadedUrl(id) }]
      return [id, await api.frame(id, signal).catch(() => null)]
    }),
  )
  return new Map(found)
}

/** @throws ApiError */
export async function uploadExample(api: ApiClient, picture: Blob): Promise<ExamplePicture> {
  return await api.write('POST', '/rules/examples', { image: await base64Of(picture) })
}

function uploadedUrl(id: string): string {
  return `/api/v1/rules/examples/${encodeURIComponent(id)}/thumbnail`
}

async function base64Of(picture: Blob): Promise<string> {
  const reader = new FileReader()
  const read = new Promise<string>((resolve, reject) => {
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error)
  })
  reader.readAsDataURL(picture)
  const url = await read
  return url.slice(url.indexOf(',') + 1)
}
