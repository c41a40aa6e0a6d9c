/** Packet type in the first byte of a packet (MQTT 3.1.1, 2.2.1). */
const PUBLISH = 3

/**
 * Watches the fixed headers of an MQTT byte stream (MQTT 3.1.1, 2.2) and tells as soon as a packet announces more bytes
 * than allowed, that is before any of its body is buffered.
 */
export class PacketGuard {
  readonly #maxPacketBytes: number
  readonly #mayPublish: () => boolean
  /** Bytes of the current packet's body still to come. */
  #bodyLeft = 0
  #inHeader = false
  #length = 0
  #multiplier = 1
  /** Packets that have begun. */
  #packets = 0

  /** `mayPublish` is asked before each PUBLISH, and again for one that it held back. */
  constructor(maxPacketBytes: number, mayPublish: () => boolean = () => true) {
    this.#maxPacketBytes = maxPacketBytes
    this.#mayPublish = mayPublish
  }

  /** Number of the packet that the stream is within; undefined between two packets. */
  get packet(): number | undefined {
    return this.#inHeader || this.#bodyLeft > 0 ? this.#packets : undefined
  }

  /**
   * How many bytes may pass: all, or those before a PUBLISH that is to wait; give the rest again later. Undefined when
   * the stream is to be cut off: a packet is too long, or its length is malformed (2.2.3).
   */
  accept(chunk: Uint8Array): number | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const skipped = Math.min(this.#bodyLeft, chunk.length - at)
        this.#bodyLeft -= skipped
        at += skipped
      } else if (!this.#inHeader) {
        // Packet type and flags; the length follows.
        if (chunk[at]! >> 4 === PUBLISH && !this.#mayPublish()) return at
        this.#inHeader = true
        this.#packets++
        this.#length = 0
        this.#multiplier = 1
        at++
      } else if (!this.#takeLengthByte(chunk[at++]!)) return undefined
    }
    return at
  }

  #takeLengthByte(byte: number): boolean {
    this.#length += (byte & 0x7f) * this.#multiplier
    if (this.#length > this.#maxPacketBytes) return false
    if ((byte & 0x80) === 0) {
      this.#inHeader = false
      this.#bodyLeft = this.#length
      return true
    }
    this.#multiplier *= 128
    return this.#multiplier <= 128 ** 3
  }
}
