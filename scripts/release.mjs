/**
 * Packs what a machine needs to run a hub or an agent into dist/sightline-VERSION-linux-ARCH.tgz: compiled code,
 * production packages, the embedded model, a Node.js of its own. Native modules are compiled here, so each architecture
 * is packed on a machine of that architecture, with a C library that is not newer than its targets'.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NODE_VERSION = '20.20.2'
/** Of the npm packages node-linux-ARCH, which hold the binaries that nodejs.org gives out. */
const NODE_INTEGRITY = {
  x64: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  arm64: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
}
/** Below the root; of workspaces, what is compiled. */
const FILES = [
  '.npmrc',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'package-lock.json',
  'package.json',
  'apps/hub/dashboard/dist',
  'apps/hub/rule-packs',
  'deploy/install.sh',
  'deploy/jetson/install.sh',
  'deploy/prometheus',
  'deploy/samples',
  'deploy/systemd',
  'docs',
  'models/quantized',
]
const WORKSPACES = ['packages/core', 'packages/models', 'apps/edge-agent', 'apps/hub']
const { arch } = process
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (result.status === 0) return result.stdout
  process.stderr.write(`${command} ${args.join(' ')} failed\n${result.stdout ?? ''}${result.stderr ?? ''}\n`)
  process.exit(1)
}

/** Every file below `dir`. */
function* walk(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) yield* walk(path)
    else if (entry.isFile()) yield path
  }
}

function copySources(target) {
  for (const path of FILES) cpSync(join(ROOT, path), join(target, path), { recursive: true })
  for (const workspace of WORKSPACES) {
    cpSync(join(ROOT, workspace, 'package.json'), join(target, workspace, 'package.json'))
    cpSync(join(ROOT, workspace, 'dist'), join(target, workspace, 'dist'), {
      recursive: true,
      filter: path => !/\.(d\.ts|map|tsbuildinfo)$/.test(path),
    })
  }
  for (const name of readdirSync(join(ROOT, 'packages/models'))) {
    if (name.endsWith('.json') && name !== 'tsconfig.json')
      cpSync(join(ROOT, 'packages/models', name), join(target, 'packages/models', name))
  }
}

/** Exactly what the lock file says, without what only development needs, nor the binaries of other systems. */
function installPackages(target) {
  run('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: target })
  const onnxruntime = join(target, 'node_modules/onnxruntime-node/bin/napi-v6')
  for (const system of readdirSync(onnxruntime)) {
    if (system !== 'linux') rmSync(join(onnxruntime, system), { recursive: true })
  }
  for (const each of readdirSync(join(onnxruntime, 'linux'))) {
    if (each !== arch) rmSync(join(onnxruntime, 'linux', each), { recursive: true })
  }
  for (const path of walk(join(target, 'node_modules'))) {
    if (/\.(d\.[cm]?ts|map)$/.test(path)) rmSync(path)
  }
}

function addNode(target, scratch) {
  const wanted = NODE_INTEGRITY[arch]
  if (wanted === undefined) {
    process.stderr.write(`no Node.js ${NODE_VERSION} is known for ${arch}\n`)
    process.exit(1)
  }
  const packed = run('npm', ['pack', '--json', `node-linux-${arch}@${NODE_VERSION}`], { cwd: scratch })
  const archive = join(scratch, JSON.parse(packed)[0].filename)
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (found !== wanted) {
    process.stderr.write(`${archive}: integrity ${found}, wanted ${wanted}\n`)
    process.exit(1)
  }
  const runtime = join(target, 'runtime')
  mkdirSync(runtime)
  const members = ['package/bin/node', 'package/LICENSE']
  run('tar', ['-xzf', archive, '-C', runtime, '--strip-components=1', ...members])
}

/** Newest glibc symbol that any binary asks for: what the target must have. */
function neededGlibc(target) {
  let newest = [2, 0]
  for (const path of walk(target)) {
    if (!/(\.node|\.so(\.[\d.]+)?|\/bin\/node)$/.test(path) || path.includes('musl')) continue
    for (const [, minor] of readFileSync(path, 'latin1').matchAll(/GLIBC_2\.(\d+)\0/g)) {
      if (Number(minor) > newest[1]) newest = [2, Number(minor)]
    }
  }
  return newest.join('.')
}

build()
const scratch = mkdtempSync(join(tmpdir(), 'sightline-release-'))
const name = `sightline-${version}-linux-${arch}`
const target = join(scratch, name)
try {
  mkdirSync(target)
  copySources(target)
  installPackages(target)
  addNode(target, scratch)
  const glibc = neededGlibc(target)
  writeFileSync(
    join(target, 'RELEASE'),
    `VERSION=${version}\nARCH=${arch}\nGLIBC=${glibc}\nNODE=${NODE_VERSION}\n`,
  )
  const out = join(ROOT, 'dist')
  mkdirSync(out, { recursive: true })
  const archive = join(out, `${name}.tgz`)
  run('tar', ['-czf', archive, '--owner=0', '--group=0', '--sort=name', '-C', scratch, name])
  const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex')
  writeFileSync(`${archive}.sha256`, `${sha256}  ${name}.tgz\n`)
  const megabytes = (readFileSync(archive).length / 1e6).toFixed(0)
  console.log(`${archive}\n${megabytes} MB, Node.js ${NODE_VERSION}, needs glibc ${glibc}, sha256 ${sha256}`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
