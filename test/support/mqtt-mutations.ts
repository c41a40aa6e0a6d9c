/** One MQTT packet as it went over the wire. */
export type WirePacket = Buffer

const PUBLISH = 3

/** Splits a recorded byte stream at the packets' fixed headers (MQTT 3.1.1, 2.2); a tail without its end is left out. */
export function packetsOf(stream: Buffer): WirePacket[] {
  const packets: WirePacket[] = []
  let start = 0
  while (start + 1 < stream.length) {
    let at = start + 1
    let length = 0
    for (let multiplier = 1; ; multiplier *= 128) {
      const byte = stream[at++] ?? 0
      length += (byte & 0x7f) * multiplier
      if ((byte & 0x80) === 0) break
    }
    if (at + length > stream.length) break
    packets.push(stream.subarray(start, at + length))
    start = at + length
  }
  return packets
}

export function isPublish(packet: WirePacket): boolean {
  return packet[0]! >> 4 === PUBLISH
}

/** A stream that is broken somewhere: after a sound CONNECT most of the times, since most code lies behind it. */
export function brokenStream(packets: readonly WirePacket[], random: () => number): Buffer {
  const below = (limit: number) => Math.floor(random() * limit)
  const [connect, ...rest] = packets
  const sample = Array.from({ length: 1 + below(4) }, () => rest[below(rest.length)]!)
  const kept = random() < 0.8 ? [connect!] : []
  if (kept.length === 0) sample.unshift(connect!)
  const mutated = sample.map(packet => {
    if (random() < 0.3) return packet
    return isPublish(packet) && random() < 0.5 ? brokenPayload(packet, random) : damaged(packet, random)
  })
  return Buffer.concat([...kept, ...mutated])
}

/** A sound PUBLISH with a payload that is not. */
export function brokenPayload(packet: WirePacket, random: () => number): Buffer {
  const body = bodyOf(packet)
  const topicEnd = 2 + body.readUInt16BE(0)
  const head = body.subarray(0, topicEnd + ((packet[0]! & 0b110) > 0 ? 2 : 0))
  const payload = damaged(body.subarray(head.length), random)
  return framed(packet[0]!, Buffer.concat([head, payload]))
}

/** One to eight changes: bits, bytes, runs taken out, doubled, made up or cut off. */
function damaged(bytes: Buffer, random: () => number): Buffer {
  const below = (limit: number) => Math.floor(random() * limit)
  let result = Buffer.from(bytes)
  for (let left = 1 + below(8); left > 0 && result.length > 0; left--) {
    // Headers are short: half of the changes go there.
    const at = random() < 0.5 ? below(Math.min(24, result.length)) : below(result.length)
    const run = 1 + below(16)
    const [before, after] = [result.subarray(0, at), result.subarray(at + run)]
    const made = Buffer.from(Array.from({ length: run }, () => below(256)))
    switch (below(7)) {
      case 0:
        result[at]! ^= 1 << below(8)
        break
      case 1:
        result[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)]!
        break
      case 2:
        result = Buffer.concat([before, after])
        break
      case 3:
        result = Buffer.concat([before, made, after])
        break
      case 4:
        result = Buffer.concat([before, made, result.subarray(at)])
        break
      case 5:
        result = Buffer.concat([before, result.subarray(at, at + run), result.subarray(at)])
        break
      default:
        result = Buffer.from(before)
    }
  }
  return result
}

function bodyOf(packet: WirePacket): Buffer {
  let at = 1
  while ((packet[at]! & 0x80) !== 0) at++
  return packet.subarray(at + 1)
}

function framed(firstByte: number, body: Buffer): Buffer {
  const header = [firstByte]
  let length = body.length
  do {
    const digit = length % 128
    length = Math.floor(length / 128)
    header.push(length > 0 ? digit | 0x80 : digit)
  } while (length > 0)
  return Buffer.concat([Buffer.from(header), body])
}
