import { readFileSync } from 'node:fs'
import { arch, platform } from 'node:os'

/**
 * Whether this CPU sums u8 x s8 products without saturating (VNNI, AMX; every Arm core does). Null when it cannot be told.
 * Without it, two products are added in 16 bits first: 2 * 255 * 127 does not fit, 2 * 255 * 63 does.
 */
export function hasExactInt8(): boolean | null {
  if (arch() === 'arm64' || arch() === 'arm') return true
  if (platform() !== 'linux' || arch() !== 'x64') return null
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? []
    return flags.some(flag => ['avx_vnni', 'avx512_vnni', 'amx_int8'].includes(flag))
  } catch {
    return null
  }
}
