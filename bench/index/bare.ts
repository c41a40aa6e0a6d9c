import { statSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import hnswlib from 'hnswlib-node'
import type { Rival } from './equal-recall.ts'
import type { Search } from './recall.ts'

/** What somebody who uses hnswlib-node by itself starts with. */
export const BARE = { m: 16, efConstruction: 100 }
const EFFORTS = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]

/** One graph of all vectors, called directly. */
export class BareGraph implements Rival {
  readonly name = 'bare hnswlib-node'
  readonly unit = 'ef'
  readonly isInProcess = true
  readonly efforts = EFFORTS
  readonly #graph: hnswlib.HierarchicalNSW
  readonly #k: number

  constructor({ dim, count, k }: { dim: number; count: number; k: number }) {
    this.#k = k
    this.#graph = new hnswlib.HierarchicalNSW('ip', dim)
    this.#graph.initIndex({ maxElements: count, ...BARE, randomSeed: 20 })
  }

  async add(entries: readonly { readonly vector: Float32Array; readonly ord: number }[]): Promise<void> {
    for (const { vector, ord } of entries) {
      this.#graph.addPoint(Array.from(vector), ord)
      if (ord % 64 === 0) await turn()
    }
  }

  async at(ef: number): Promise<Search> {
    return this.filtered(ef)
  }

  /** @param passes asked for each vector that the walk meets */
  filtered(ef: number, passes?: (ord: number) => boolean): Search {
    return async query => {
      this.#graph.setEf(ef)
      return this.#graph.searchKnn(Array.from(query), this.#k, passes).neighbors
    }
  }

  /** What a graph file holds is what hnswlib has in memory. */
  bytes(path: string): number {
    this.#graph.writeIndexSync(path)
    return statSync(path).size
  }
}
