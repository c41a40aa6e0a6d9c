import { constants } from 'node:fs'
import { access, readFile, stat, statfs } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, release, totalmem } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Finding } from './finding.ts'

const GIB = 2 ** 30
/** The oldest Node.js that the package accepts. */
const MIN_NODE = [20, 19] as const
const LOW_MEMORY_BYTES = 0.5 * GIB

export interface DeviceOptions {
  readonly dataDir: string
  /** Below this the outbox no longer grows. */
  readonly minFreeDiskBytes: number
}

/** What the machine is, and whether it has room. */
export async function examineDevice(options: DeviceOptions): Promise<Finding[]> {
  return [await system(), node(), await processor(), memory(), await disk(options)]
}

async function system(): Promise<Finding> {
  const board = (await textOf('/proc/device-tree/model')).replaceAll('\0', '').trim()
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(await textOf('/etc/os-release'))?.[1] ?? process.platform
  const l4t = /R\d+[^,]*,\s*REVISION:\s*[\d.]+/.exec(await textOf('/etc/nv_tegra_release'))?.[0]
  const parts = [
    board,
    name,
    `${process.platform} ${process.arch}`,
    `kernel ${release()}`,
    l4t && `L4T ${l4t}`,
  ]
  return {
    group: 'Device',
    name: 'system',
    mark: 'info',
    text: parts.filter(Boolean).join(' · '),
    data: {
      board: board || null,
      os: name,
      platform: process.platform,
      arch: process.arch,
      l4t: l4t ?? null,
    },
  }
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const old = major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])
  return {
    group: 'Device',
    name: 'node',
    mark: old ? 'fail' : 'ok',
    text: process.version,
    ...(old ? { advice: `Install Node.js ${MIN_NODE.join('.')} or later.` } : {}),
  }
}

/** What INT8 kernels use, best first. */
const INT8_FLAGS: Readonly<Record<string, readonly string[]>> = {
  x64: ['amx_int8', 'avx512_vnni', 'avx_vnni', 'avx2'],
  arm64: ['i8mm', 'asimddp'],
}

async function processor(): Promise<Finding> {
  const info = await textOf('/proc/cpuinfo')
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1]?.split(' '))
  const known = flags.size > 0 && INT8_FLAGS[process.arch] !== undefined
  const int8 = (INT8_FLAGS[process.arch] ?? []).filter(flag => flags.has(flag))
  const model = cpus()[0]?.model.trim() || 'unknown processor'
  const cores = availableParallelism()
  const speed = known ? (int8.length > 0 ? `INT8 by ${int8.join(', ')}` : 'no INT8 instructions') : ''
  const base = {
    group: 'Device',
    name: 'processor',
    text: [model, `${cores} ${cores === 1 ? 'core' : 'cores'}`, speed].filter(Boolean).join(' · '),
    data: { model, cores, int8Flags: int8 },
  } as const
  if (!known || int8.length > 0) return { ...base, mark: 'ok' }
  return {
    ...base,
    mark: 'warn',
    advice: 'INT8 models gain little on this processor; expect few frames a second.',
  }
}

function memory(): Finding {
  const limit = process.constrainedMemory?.() ?? 0
  const totalBytes = limit > 0 && limit < totalmem() ? limit : totalmem()
  const freeBytes = Math.min(freemem(), totalBytes)
  const low = freeBytes < LOW_MEMORY_BYTES
  return {
    group: 'Device',
    name: 'memory',
    mark: low ? 'warn' : 'ok',
    text: `${gib(freeBytes)} of ${gib(totalBytes)} free`,
    ...(low
      ? { advice: 'Stop other programs or use a smaller model: loading one may end the process.' }
      : {}),
    data: { freeBytes, totalBytes },
  }
}

async function disk({ dataDir, minFreeDiskBytes }: DeviceOptions): Promise<Finding> {
  const place = await existingPart(resolve(dataDir))
  const { bavail, bsize } = await statfs(place)
  const freeBytes = bavail * bsize
  const writable = await access(place, constants.W_OK).then(
    () => true,
    () => false,
  )
  const base = {
    group: 'Device',
    name: 'disk',
    data: { dataDir: resolve(dataDir), freeBytes, minFreeDiskBytes, writable },
  } as const
  if (!writable) {
    const advice = 'Run as the user of the agent, or give that user the directory (dataDir).'
    return { ...base, mark: 'fail', text: `${place} cannot be written to`, advice }
  }
  const text = `${gib(freeBytes)} free at ${resolve(dataDir)}`
  if (freeBytes >= minFreeDiskBytes) return { ...base, mark: 'ok', text }
  const advice = `The outbox stops growing below ${gib(minFreeDiskBytes)} (outbox.minFreeDiskBytes): free space.`
  return { ...base, mark: 'fail', text, advice }
}

/** The directory itself, or the nearest one above it that is there already. */
async function existingPart(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    const found = await stat(place).catch(() => undefined)
    if (found !== undefined || place === dirname(place)) return place
  }
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
