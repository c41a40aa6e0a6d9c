// `npm start`: builds what is needed, then runs a hub and one edge agent whose cameras are the sample frames.
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SAMPLES = join(ROOT, 'deploy/samples/cameras')
const HUB = join(ROOT, 'apps/hub/dist/main.js')
const AGENT = join(ROOT, 'apps/edge-agent/dist/main.js')
const dataDir = resolve(process.env.SIGHTLINE_DATA_DIR || '.sightline')
const mqttPort = process.env.SIGHTLINE_MQTT_PORT || '1883'
const STOP_LIMIT_MS = 5_000

const started = performance.now()
const say = text =>
  console.log(`[${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s] ${text}`)

const children = []
let stopping = false

function launch(name, script, args, env) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, SIGHTLINE_LOG_LEVEL: process.env.SIGHTLINE_LOG_LEVEL || 'warn', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    // Ctrl-C reaches the whole process group; only this script may pass it on, in order.
    detached: true,
  })
  children.push(child)
  child.on('exit', (code, signal) => {
    if (stopping) return
    console.error(`the ${name} ended unexpectedly (${signal ?? `exit code ${code}`}); stopping`)
    void stop(1)
  })
  return child
}

/** Agent first, so that its last frames still reach the hub. */
async function stop(exitCode) {
  if (stopping) return
  stopping = true
  if (exitCode === 0) say('stopping: draining the agent, then the hub')
  const deadline = setTimeout(() => {
    for (const child of children) child.kill('SIGKILL')
  }, STOP_LIMIT_MS)
  for (const child of [...children].reverse()) await end(child)
  clearTimeout(deadline)
  process.exit(exitCode)
}

function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return undefined
  return new Promise(done => {
    child.once('exit', done)
    child.kill('SIGTERM')
  })
}

/** Passes the child's lines on and resolves at the first that matches. */
function lines(child, pattern) {
  return new Promise(found => {
    createInterface({ input: child.stdout }).on('line', line => {
      const match = pattern.exec(line)
      if (match) found(match)
      else say(line)
    })
  })
}

function agentConfig() {
  const cameras = readdirSync(SAMPLES, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => ({ name, source: `folder:${join(SAMPLES, name)}`, fps: 0.5 }))
  const file = join(dataDir, 'agent.yaml')
  mkdirSync(dataDir, { recursive: true })
  // JSON is YAML.
  writeFileSync(
    file,
    JSON.stringify(
      {
        site: 'default',
        node: 'sample-agent',
        dataDir: join(dataDir, 'agent'),
        broker: { url: `mqtt://127.0.0.1:${mqttPort}` },
        cameras,
      },
      null,
      2,
    ),
  )
  return { file, cameras }
}

process.on('SIGINT', () => void stop(0))
process.on('SIGTERM', () => void stop(0))

say('building …')
build()
say('starting the hub: loading the model, opening the store …')
const hub = launch('hub', HUB, ['serve'], { SIGHTLINE_DATA_DIR: join(dataDir, 'hub') })
const [, url] = await lines(hub, /^hub ready: (\S+)/)
const { file, cameras } = agentConfig()
say(
  `hub ready; starting the agent with ${cameras.length} cameras: ${cameras.map(camera => camera.name).join(', ')} …`,
)
const agent = launch('agent', AGENT, ['run', '--announce', '--config', file], {
  SIGHTLINE_DATA_DIR: join(dataDir, 'agent'),
})
await lines(agent, /^agent ready/)
say(`open ${url} — Ctrl-C stops everything`)
