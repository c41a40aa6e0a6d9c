/** Of the WebAssembly JavaScript interface what is used here; the types of Node 20 leave it to the DOM library. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => SharedMemory
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> }
}

/** Memory that every thread of the process can see and the kernel can compute over. Can be sent to a worker. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
}

const PAGE_BYTES = 65_536

/** Of zeros. */
export function sharedMemory(bytes: number): SharedMemory {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}

/** A row of codes, in bytes, is a multiple of this; so is a row of floats, in elements of 4 bytes, of half of it. */
export const CODE_STEP = 32
const FLOAT_STEP = 16

/** Elements that a row of floats takes. */
export function floatStride(dim: number): number {
  return Math.ceil(dim / FLOAT_STEP) * FLOAT_STEP
}

/**
 * Inner products of one query with the rows that `ids` lists: `out[i] = query · row(ids[i])`. All but `count` and
 * `stride` are byte addresses in the memory; `stride` is the length of a row in bytes; `count` is at least 1.
 */
export type Products = (
  query: number,
  rows: number,
  stride: number,
  ids: number,
  count: number,
  out: number,
) => void

/**
 * Writes int8 codes of `length` float32, a multiple of `FLOAT_STEP`, and the scale by which they are multiplied to get the
 * floats back: 1/127 of the largest. All but `length` are byte addresses.
 */
export type Encode = (floats: number, codes: number, length: number, scale: number) => void

export interface Kernel {
  /** Query of int16, rows of int8, sums of int32. */
  readonly codes: Products
  /** Query, rows and sums of float32. */
  readonly floats: Products
  readonly encode: Encode
}

let compiled: object | undefined

/** WebAssembly SIMD (core specification 2.0, 4.4.3) over `memory`: a quarter of the time of float32 in JavaScript. */
export function kernelOver(memory: SharedMemory): Kernel {
  compiled ??= new WebAssembly.Module(moduleBytes())
  const { exports } = new WebAssembly.Instance(compiled, { m: { m: memory } })
  return { codes: exports.c as Products, floats: exports.f as Products, encode: exports.e as Encode }
}

const [QUERY, ROWS, STRIDE, IDS, COUNT, OUT] = [0, 1, 2, 3, 4, 5]
const [ROW, AT, REMAINING] = [6, 7, 8]
const SUMS = [9, 10, 11, 12]

const get = (local: number) => [0x20, local]
const set = (local: number) => [0x21, local]
const constant = (value: number) => [0x41, ...signed(value)]
const [add, lessen, multiply] = [[0x6a], [0x6b], [0x6c]]
const advance = (local: number, by: number) => [...get(local), ...constant(by), ...add, ...set(local)]
const countDown = (local: number, by: number) => [...get(local), ...constant(by), ...lessen, 0x22, local]
const loop = (...body: readonly (readonly number[])[]) => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b]
const load = (local: number, offset: number) => [...get(local), 0xfd, 0x00, 0, offset]
/** Eight int8, widened to int16. */
const loadCodes = (local: number, offset: number) => [...get(local), 0xfd, 0x01, 0, offset]

interface Arithmetic {
  /** Elements of a row that one turn takes, and what they take of the query, in bytes. */
  readonly rowStep: number
  readonly queryStep: number
  /** Adds the products of a quarter of a turn to a sum. */
  readonly accumulate: (part: number) => readonly number[]
  readonly addSums: readonly number[]
  readonly lane: (at: number) => readonly number[]
  readonly addLanes: readonly number[]
  readonly store: readonly number[]
}

const CODES: Arithmetic = {
  rowStep: CODE_STEP,
  queryStep: 2 * CODE_STEP,
  accumulate: part => [...loadCodes(ROW, 8 * part), ...load(AT, 16 * part), 0xfd, 0xba, 0x01],
  addSums: [0xfd, 0xae, 0x01],
  lane: at => [0xfd, 0x1b, at],
  addLanes: add,
  store: [0x36, 2, 0],
}

const FLOATS: Arithmetic = {
  rowStep: 4 * FLOAT_STEP,
  queryStep: 4 * FLOAT_STEP,
  accumulate: part => [...load(ROW, 16 * part), ...load(AT, 16 * part), 0xfd, 0xe6, 0x01],
  addSums: [0xfd, 0xe4, 0x01],
  lane: at => [0xfd, 0x1f, at],
  addLanes: [0x92],
  store: [0x38, 2, 0],
}

/** For each id: four running sums over the row, then one number to `out`. */
function products({ rowStep, queryStep, accumulate, addSums, lane, addLanes, store }: Arithmetic): number[] {
  const whole = SUMS[0]!
  const body = loop(
    SUMS.flatMap(sum => [0xfd, 0x0c, ...Array<number>(16).fill(0), ...set(sum)]),
    [...get(IDS), 0x28, 2, 0, ...get(STRIDE), ...multiply, ...get(ROWS), ...add, ...set(ROW)],
    [...get(QUERY), ...set(AT), ...get(STRIDE), ...set(REMAINING)],
    loop(
      SUMS.flatMap((sum, part) => [...get(sum), ...accumulate(part), ...addSums, ...set(sum)]),
      advance(ROW, rowStep),
      advance(AT, queryStep),
      countDown(REMAINING, rowStep),
    ),
    SUMS.slice(1).flatMap(sum => [...get(whole), ...get(sum), ...addSums, ...set(whole)]),
    [...get(OUT), ...get(whole), ...lane(0)],
    [1, 2, 3].flatMap(at => [...get(whole), ...lane(at), ...addLanes]),
    store,
    advance(IDS, 4),
    advance(OUT, 4),
    countDown(COUNT, 1),
  )
  const [I32, V128] = [0x7f, 0x7b]
  const code = [2, 3, I32, 4, V128, ...body, 0x0b]
  return [...unsigned(code.length), ...code]
}

/** First the largest element, four at a time, then codes, sixteen at a time. */
function encoding(): number[] {
  const [SOURCE, TARGET, LENGTH, SCALE, FROM, LEFT, LARGEST, FACTOR] = [0, 1, 2, 3, 4, 5, 6, 7] as const
  const [I32, V128] = [0x7f, 0x7b]
  const [max, divide, splat] = [[0x97], [0x95], [0xfd, 0x13]]
  const float127 = [0x43, 0x00, 0x00, 0xfe, 0x42]
  const largest = [0, 1, 2, 3].flatMap(at => [...get(LARGEST), ...FLOATS.lane(at), ...(at > 0 ? max : [])])
  const rounded = (offset: number) => [
    ...[...load(SOURCE, offset), ...get(FACTOR), 0xfd, 0xe6, 0x01],
    // To the nearest, then to int32.
    ...[0xfd, 0x6a, 0xfd, 0xf8, 0x01],
  ]
  const narrowed = (offset: number) => [...rounded(offset), ...rounded(offset + 16), 0xfd, 0x85, 0x01]
  const body = [
    ...[...get(SOURCE), ...set(FROM), ...get(LENGTH), ...set(LEFT)],
    ...loop(
      [...get(LARGEST), ...load(FROM, 0), 0xfd, 0xe0, 0x01, 0xfd, 0xeb, 0x01, ...set(LARGEST)],
      advance(FROM, 16),
      countDown(LEFT, 4),
    ),
    ...[...get(SCALE), ...largest, ...float127, ...divide, 0x38, 2, 0],
    ...[...float127, ...largest, ...divide, ...splat, ...set(FACTOR)],
    ...loop(
      [...get(TARGET), ...narrowed(0), ...narrowed(32), 0xfd, 0x65, 0xfd, 0x0b, 0, 0],
      advance(SOURCE, 64),
      advance(TARGET, 16),
      countDown(LENGTH, FLOAT_STEP),
    ),
  ]
  const code = [2, 2, I32, 2, V128, ...body, 0x0b]
  return [...unsigned(code.length), ...code]
}

/** The module in its binary format (core specification, chapter 5). */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const I32 = 0x7f
  const anyShared = [0x02, 0x03, 1, ...unsigned(65_536)]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, ...[6, 4].flatMap(count => [0x60, count, ...Array<number>(count).fill(I32), 0])]),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, ...anyShared]),
    ...section(3, [3, 0, 0, 1]),
    ...section(7, [3, 1, 0x63, 0x00, 0, 1, 0x66, 0x00, 1, 1, 0x65, 0x00, 2]),
    ...section(10, [3, ...products(CODES), ...products(FLOATS), ...encoding()]),
  ])
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}

/** LEB128 (core specification, 5.2.2). */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

/** Of a number from 0 to 8191. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, value >>> 7]
}
