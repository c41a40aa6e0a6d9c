import { createHash } from 'node:crypto'
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isFault, type Log, messageOf } from '@sightline/core'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { writeDurably } from '../durable-file.ts'
import { RuleIndex } from './rule-index.ts'
import { gateRows, type RuleVectors } from './rule-vectors.ts'

/** Grows when the way in which a graph is built from a bundle changes. */
const FORMAT = 2

/** Written after the graph: a graph without its seal, or with another's, is not loaded. */
const Seal = Type.Object({ format: Type.Literal(FORMAT), bundle: Type.String(), graph: Type.String() })

/**
 * Positives, prompts and examples, from which on a graph proposes the rules. Below it is both quicker and exact by
 * construction to multiply each with every frame: measured at 512 dimensions, the scan takes a fifth of the graph's time
 * at 10,000 rules, as much at 40,000 positives, and half as much again at 100,000 (docs/moderation.md).
 */
export const GRAPH_FROM = 50_000

export interface IndexRequest {
  readonly vectors: RuleVectors
  /** SHA-256 of the bundle that the vectors came from. */
  readonly bundleDigest: string
  readonly dir: string
  readonly log: Log
  /** See `GRAPH_FROM`. */
  readonly graphFrom?: number
}

/**
 * The saved graph of this very bundle, or a new one, which is then saved; undefined where the bundle has too few positives
 * to need one. The file is a cache: whatever is wrong with it, it is built again. hnswlib crashes on damaged files, so none
 * is opened before its checksum was compared.
 */
export async function loadOrBuildIndex({
  vectors,
  bundleDigest,
  dir,
  log,
  graphFrom = GRAPH_FROM,
}: IndexRequest): Promise<RuleIndex | undefined> {
  const graphPath = join(dir, 'rules.hnsw')
  const sealPath = join(dir, 'rules.hnsw.json')
  if (gateRows(vectors).length < graphFrom) {
    await Promise.all([sealPath, graphPath].map(path => rm(path, { force: true })))
    return undefined
  }
  try {
    const seal: unknown = JSON.parse(await readFile(sealPath, 'utf8'))
    const sealed = Value.Check(Seal, seal) && seal.bundle === bundleDigest
    if (sealed && seal.graph === (await digestOf(graphPath))) return RuleIndex.read(vectors, graphPath)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn({ reason: messageOf(error) }, 'saved rule index not usable; building it again')
    }
  }
  const index = await RuleIndex.build(vectors)
  try {
    const draft = `${graphPath}.tmp`
    index.save(draft)
    // hnswlib reports no short write: the seal is taken of what can be read back.
    const seal = { format: FORMAT, bundle: bundleDigest, graph: await digestOf(draft) }
    await rename(draft, graphPath)
    await writeDurably(sealPath, Buffer.from(JSON.stringify(seal)))
  } catch (err) {
    log.warn({ err: isFault(err) ? err : messageOf(err) }, 'rule index not saved; it will be built again')
  }
  return index
}

async function digestOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
