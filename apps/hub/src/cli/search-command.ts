import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fault, messageOf } from '@sightline/core'
import type { Command } from 'commander'
import { askHub } from './hub-request.ts'

const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp'])
/** Sent at once: below the hub's limit of 256, and of 16 MiB a request with pictures of some 500 kB. */
const BATCH_BYTES = 8 * 1024 * 1024
const BATCH_ITEMS = 128

interface SearchOptions {
  readonly hub: string
  readonly limit: string
  readonly not: readonly string[]
  readonly json?: boolean
}

interface Answer {
  readonly hits: readonly {
    readonly id: string
    readonly site: string
    readonly node: string
    readonly camera: string
    readonly capturedAt: string
    readonly score: number
    readonly similarity: number
  }[]
  readonly tookMs: number
}

interface IndexOptions {
  readonly hub: string
  readonly site: string
  readonly camera: string
  readonly tag: readonly string[]
}

/** `search TEXT` and `index DIR`, against a hub that runs. */
export function addSearchCommands(program: Command): void {
  const hub = ['--hub <url>', 'address of the hub', 'http://127.0.0.1:8080'] as const
  const gather = (text: string, before: readonly string[]) => [...before, text]
  program
    .command('search')
    .description('search all frames of a hub by words')
    .argument('<text>', 'what is looked for')
    .option(...hub)
    .option('--limit <n>', 'hits', '10')
    .option('--not <text>', 'what is not wanted; may be repeated', gather, [])
    .option('--json', 'print the answer as JSON')
    .action(search)
  program
    .command('index')
    .description('send the pictures of a folder to a hub, as frames of a camera')
    .argument('<dir>', 'folder of JPEG, PNG and WebP files')
    .option(...hub)
    .option('--site <name>', 'site of the frames', 'default')
    .option('--camera <name>', 'camera of the frames', 'archive')
    .option('--tag <tag>', 'tag of the frames; may be repeated', gather, [])
    .action(index)
}

async function search(text: string, { hub, limit, not, json }: SearchOptions): Promise<void> {
  const negatives = not.map(each => ({ text: each }))
  const answer = await post<Answer>(hub, 'search', { text, negatives, limit: Number(limit) })
  if (json === true) return console.log(JSON.stringify(answer, null, 2))
  const rows = answer.hits.map(hit => [
    hit.score.toFixed(3),
    hit.similarity.toFixed(3),
    hit.capturedAt,
    `${hit.site}/${hit.node}/${hit.camera}`,
    hit.id,
  ])
  const table = [['score', 'cosine', 'captured', 'camera', 'frame'], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  for (const row of table)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
  console.log(`${answer.hits.length} hits in ${answer.tookMs.toFixed(0)} ms`)
}

async function index(dir: string, { hub, site, camera, tag: tags }: IndexOptions): Promise<void> {
  const files = await picturesIn(dir)
  let stored = 0
  let batch: { readonly image: string; readonly tags: readonly string[] }[] = []
  let bytes = 0
  const send = async () => {
    if (batch.length === 0) return
    const query = new URLSearchParams({ site, camera })
    stored += (await post<{ ids: string[] }>(hub, `index?${query}`, batch)).ids.length
    batch = []
    bytes = 0
  }
  for (const file of files) {
    const image = (await readFile(join(dir, file))).toString('base64')
    if (batch.length === BATCH_ITEMS || bytes + image.length > BATCH_BYTES) await send()
    batch.push({ image, tags })
    bytes += image.length
  }
  await send()
  console.log(`${stored} pictures stored as frames of ${site}/import/${camera}`)
}

async function picturesIn(dir: string): Promise<string[]> {
  try {
    const names = await readdir(dir)
    return names.filter(name => PICTURES.has(extname(name).toLowerCase())).sort()
  } catch (cause) {
    throw fault('CONFIG_UNREADABLE', `${dir}: ${messageOf(cause)}`, { cause })
  }
}

function post<T>(hub: string, path: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  return askHub<T>(hub, path, { method: 'POST', headers, body: JSON.stringify(body) })
}
