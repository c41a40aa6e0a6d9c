/**
 * Puts a queue of one between a source that does not wait and its consumer: when the consumer is slow it gets the
 * newest item, and `onDrop` hears of each that it never saw. Ends and fails as the source does, after the last item.
 */
export async function* newest<T>(source: AsyncIterable<T>, onDrop: () => void): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]()
  let waiting: { item: T } | undefined
  let failure: { error: unknown } | undefined
  let ended = false
  let wake = () => {}

  const read = async () => {
    try {
      for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
        if (waiting !== undefined) onDrop()
        waiting = { item: step.value }
        wake()
      }
    } catch (error) {
      failure = { error }
    }
    ended = true
    wake()
  }

  void read()
  while (true) {
    if (waiting !== undefined) {
      const { item } = waiting
      waiting = undefined
      yield item
    } else if (ended) {
      break
    } else {
      await new Promise<void>(done => {
        wake = done
      })
    }
  }
  if (failure !== undefined) throw failure.error
}
