/**
 * Shares a number of slots between pieces of work of different weight, first come first served. Work starts as soon as
 * any slot is free and then takes its whole weight, if need be on credit: what is heavy neither starves nor leaves slots
 * idle until enough of them are free at once.
 */
export class Slots {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  async run<Result>(work: () => Promise<Result>, weight = 1): Promise<Result> {
    // Somebody waits only while nothing is free, so that nobody is overtaken here.
    if (this.#free > 0) this.#free -= weight
    else await this.#turn(weight)
    try {
      return await work()
    } finally {
      this.#free += weight
      while (this.#free > 0 && this.#waiting.length > 0) this.#waiting.shift()!()
    }
  }

  #turn(weight: number): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(() => {
        this.#free -= weight
        resolve()
      })
    })
  }
}
