import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, release } from 'node:os'
import { dirname, join } from 'node:path'
import { PROBE_INPUT, PROBE_OUTPUT, probeExpected, probeModel } from './probe-model.ts'
import { runTrial, type TrialOutcome } from './trial.ts'

/** In the order in which `auto` tries them. */
export const PROVIDERS = ['tensorrt', 'cuda', 'webgpu', 'cpu'] as const
export type ExecutionProvider = (typeof PROVIDERS)[number]
export type ProviderSetting = 'auto' | ExecutionProvider

export interface ProviderReport {
  readonly provider: ExecutionProvider
  /** A graph ran on it here, in a process of its own, and every node of it computed there. */
  readonly available: boolean
  /** Why not, or what was seen. */
  readonly reason: string
  /** What would make it available; absent when it is. */
  readonly remedy?: string
}

export interface ProbeOptions {
  readonly providers?: readonly ExecutionProvider[]
  /** Probe also where no GPU device or provider library is in sight. Default false: that is then the reason. */
  readonly thorough?: boolean
  /** Directory where working providers are remembered until the runtime, the driver or the devices change. */
  readonly cacheDir?: string
  /** Longest wait for one provider. Default 30 s: a first CUDA context on a small board takes its time. */
  readonly timeoutMs?: number
  /** Runs the probe; stands in for the child process in tests. */
  readonly run?: (provider: ExecutionProvider, timeoutMs: number) => Promise<TrialOutcome>
}

const CACHE_FILE = 'providers.json'
const DEFAULT_TIMEOUT_MS = 30_000

/**
 * Which providers really work here. What a binary was compiled with says little: a driver may be missing, or hold no
 * kernels for this chip, or end the process. So each one computes a small graph in a child process with a time limit,
 * and the session refuses to hand any node of it to the CPU.
 */
export async function probeProviders(options: ProbeOptions = {}): Promise<ProviderReport[]> {
  const { providers = PROVIDERS, cacheDir } = options
  const key = await deviceKey()
  const known = cacheDir === undefined ? [] : await readReports(join(cacheDir, CACHE_FILE), key)
  const reports: ProviderReport[] = []
  for (const provider of providers) {
    reports.push(known.find(report => report.provider === provider) ?? (await probe(provider, options)))
  }
  if (cacheDir !== undefined) {
    // A failure may pass, or be mended by a library that the key does not see; so it is looked at again.
    const working = reports.filter(({ available }) => available)
    const others = known.filter(({ provider }) => !providers.includes(provider))
    await writeCache(join(cacheDir, CACHE_FILE), { key, reports: [...working, ...others] })
  }
  return reports
}

async function probe(provider: ExecutionProvider, options: ProbeOptions): Promise<ProviderReport> {
  if (provider === 'cpu') return { provider, available: true, reason: 'always there' }
  const missing = await missingPart(provider)
  const away = (reason: string) => ({ provider, available: false, reason, remedy: howToGet(provider) })
  if (missing !== undefined && !options.thorough) return away(missing)
  const { run = probeInChild, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const outcome = await run(provider, timeoutMs)
  if (!outcome.ok) return away(missing ?? plainReason(outcome.reason))
  const fault = wrongAnswer(outcome.data)
  return fault === undefined ? { provider, available: true, reason: 'computed a test graph' } : away(fault)
}

function probeInChild(provider: ExecutionProvider, timeoutMs: number): Promise<TrialOutcome> {
  const { name, dims, data } = PROBE_INPUT
  return runTrial(
    {
      model: probeModel(),
      provider,
      strict: true,
      feeds: [{ name, dims, data: data.slice() }],
      output: PROBE_OUTPUT,
      measureMs: 0,
      threads: 1,
    },
    { timeoutMs },
  )
}

/** GPUs round differently, so a thousandth is allowed. */
function wrongAnswer(found: Float32Array): string | undefined {
  const expected = probeExpected()
  const right = found.length === expected.length && expected.every((v, i) => Math.abs(v - found[i]!) < 1e-2)
  return right ? undefined : 'a test graph gave wrong numbers'
}

/** What is plainly not there, without starting a process for it. */
async function missingPart(provider: ExecutionProvider): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  if ((await gpuDevices()).length === 0) return 'no GPU device under /dev'
  if (provider === 'webgpu')
    return process.arch === 'x64' ? undefined : `the installed ONNX Runtime has no WebGPU on ${process.arch}`
  const library = `libonnxruntime_providers_${provider}.so`
  if ((await listing(bindingDir())).includes(library)) return undefined
  return `the installed ONNX Runtime comes without ${library}`
}

/** The lines of ONNX Runtime that users meet most, in words. */
function plainReason(reason: string): string {
  if (/Failed to load shared library/i.test(reason))
    return `the provider's library or one that it needs (CUDA, cuDNN, TensorRT) cannot be loaded`
  if (/is unsupported: '/.test(reason)) return 'the installed ONNX Runtime was built without it'
  if (/WebGPU adapter/i.test(reason)) return 'no usable Vulkan device'
  return reason
}

function howToGet(provider: ExecutionProvider): string {
  const place = `${process.platform}-${process.arch}`
  if (provider === 'webgpu') {
    return place === 'linux-arm64'
      ? 'ONNX Runtime has no WebGPU for linux-arm64; on a Jetson use CUDA or TensorRT (deploy/jetson).'
      : 'Install a Vulkan loader (libvulkan1) and the driver of the GPU; vulkaninfo must name the device.'
  }
  if (place === 'linux-arm64')
    return 'Build ONNX Runtime with CUDA and TensorRT as deploy/jetson/README.md says.'
  if (place !== 'linux-x64') return `ONNX Runtime for Node.js has no CUDA on ${place}.`
  return 'Install CUDA 12, cuDNN 9 and the provider libraries of ONNX Runtime as docs/providers.md says.'
}

/** Changes when the runtime, a driver or the hardware does; what was measured before then no longer counts. */
export async function deviceKey(): Promise<string> {
  const dir = bindingDir()
  const binaries = await Promise.all(
    (await listing(dir)).map(async name => `${name} ${await fileStamp(join(dir, name))}`),
  )
  const parts = [
    runtimeVersion(),
    process.version,
    process.arch,
    release(),
    cpus()[0]?.model,
    binaries,
    await gpuDevices(),
    await textOf('/proc/driver/nvidia/version'),
    await textOf('/etc/nv_tegra_release'),
    await listing('/usr/share/vulkan/icd.d'),
    await listing('/etc/vulkan/icd.d'),
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/** Version of the installed onnxruntime-node package. */
export function runtimeVersion(): string {
  return (REQUIRE('onnxruntime-node/package.json') as { version: string }).version
}

/** What the installed binary was compiled with; says nothing of drivers. */
export function compiledProviders(): string[] {
  const { listSupportedBackends } = REQUIRE('onnxruntime-node') as {
    listSupportedBackends: () => { name: string }[]
  }
  return listSupportedBackends().map(({ name }) => name)
}

const REQUIRE = createRequire(import.meta.url)

function bindingDir(): string {
  const root = dirname(REQUIRE.resolve('onnxruntime-node/package.json'))
  return join(root, 'bin', 'napi-v6', process.platform, process.arch)
}

async function gpuDevices(): Promise<string[]> {
  const nodes = [...(await listing('/dev')), ...(await listing('/dev/dri'))]
  return nodes.filter(name => /^(nvidia\d+|nvhost-gpu|nvmap|dxg|kfd|mali\d*|renderD\d+)$/.test(name))
}

async function listing(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).sort()
}

async function fileStamp(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }))
  return `${size} ${mtimeMs}`
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

async function readReports(path: string, key: string): Promise<ProviderReport[]> {
  const cache = (await readCache(path)) as { key?: string; reports?: ProviderReport[] } | undefined
  return cache?.key === key && Array.isArray(cache.reports) ? cache.reports : []
}

/** The JSON in a cache file; undefined when there is none or it is damaged. */
export async function readCache(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** A cache that cannot be written costs time at the next start, and no more. */
export async function writeCache(path: string, value: unknown): Promise<void> {
  const partial = `${path}.${process.pid}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(partial, `${JSON.stringify(value, null, 2)}\n`)
    await rename(partial, path)
  } catch {
    // Read-only or full.
  }
}
