import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os'

const require = createRequire(import.meta.url)

/** One line that names everything a figure depends on. */
export function describeMachine(): string {
  const [cpu] = cpus()
  const packages = ['onnxruntime-node', 'sharp', 'lmdb', 'aedes', 'mqtt', 'hnswlib-node']
  return [
    `${availableParallelism()} x ${cpu?.model.trim() ?? 'unknown processor'}`,
    `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    `${process.platform} ${release()} ${arch()}`,
    `temporary files on ${fileSystemOf(tmpdir())}`,
    `Node ${process.versions.node}`,
    ...packages.map(name => `${name} ${versionOf(name)}`),
  ].join(', ')
}

/** Load of the last minute: above what the benchmark itself makes, somebody else was there too. */
export function load(): number {
  return loadavg()[0]!
}

function versionOf(name: string): string {
  // Not every package exports its package.json.
  const entry = require.resolve(name)
  const root = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length)
  return (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }).version
}

/** Type of the mount with the longest matching prefix; a durable write is only as honest as this. */
function fileSystemOf(path: string): string {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map(line => line.split(' '))
      .filter(([, at]) => at !== undefined && (at === '/' || path === at || path.startsWith(`${at}/`)))
      .sort((a, b) => b[1]!.length - a[1]!.length)
    return mounts[0]?.[2] ?? 'an unknown file system'
  } catch {
    return 'an unknown file system'
  }
}
