// Compiles the workspaces and the dashboard; what is up to date is left alone. Prints only when something fails.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const WORKSPACES = ['packages/core', 'packages/models', 'apps/edge-agent', 'apps/hub']
const DASHBOARD = join(ROOT, 'apps/hub/dashboard')

function run(label, command, args) {
  const result = spawnSync(process.execPath, [join(ROOT, 'node_modules', command), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (result.status === 0) return
  process.stderr.write(
    `${label} failed:\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}\n`,
  )
  process.exit(1)
}

function newest(dir) {
  let latest = 0
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules') continue
    const path = join(dir, entry.name)
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs)
  }
  return latest
}

export function build() {
  run('type-check and compile', 'typescript/bin/tsc', ['-b', ...WORKSPACES])
  const page = join(DASHBOARD, 'dist/index.html')
  if (!existsSync(page) || statSync(page).mtimeMs < newest(DASHBOARD)) {
    run('dashboard build', 'vite/bin/vite.js', ['build', DASHBOARD, '--logLevel', 'warn'])
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build()
