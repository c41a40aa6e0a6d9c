#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import {
  createLog,
  FAIL_POINT_VARIABLE,
  failPointFrom,
  faultText,
  onShutdownSignal,
  redactUrl,
  ServiceManager,
  systemClock,
} from '@sightline/core'
import { Command } from 'commander'
import { publicActions } from './actions/action-settings.ts'
import { addFieldCommands } from './cli/field-commands.ts'
import { LogRing } from './commands/log-ring.ts'
import { createDevice } from './device.ts'
import { loadOwnSettings } from './device-settings.ts'
import type { IncidentStep } from './moderation/incidents.ts'
import { AgentSettings } from './settings.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

async function run({ config, announce }: { config?: string; announce?: boolean }): Promise<void> {
  const { settings: own } = await loadOwnSettings(config)
  const logs = new LogRing(process.stderr)
  const log = createLog({ name: 'agent', level: own.log.level, destination: logs })
  const onIncident = announce ? print : () => {}
  const failPoint = failPointFrom(process.env[FAIL_POINT_VARIABLE])
  const device = await createDevice({
    settings: own,
    log,
    logs,
    clock: systemClock,
    version,
    onIncident,
    failPoint,
  })
  const manager = new ServiceManager({ env: process.env, log })
  onShutdownSignal(async () => {
    await manager.stopping()
    await device.stop()
  })
  if (!(await device.start())) return
  await manager.ready()
  const { site, node, cameras, broker } = device.settings
  console.log(`agent ready: ${site}/${node} · ${cameras.length} cameras · ${redactUrl(broker.url)}`)
}

/** One line when an incident begins: what happened, where, how sure. */
function print({ phase, ruleName, rule, severity, camera, score, startedAt }: IncidentStep): void {
  if (phase !== 'new') return
  const time = new Date(startedAt).toLocaleTimeString('en-GB')
  console.log(`incident: ${time} ${ruleName} (${rule}, ${severity}) on ${camera}, score ${score.toFixed(2)}`)
}

const program = new Command('sightline-agent')
  .description('Edge agent: cameras, embeddings, zero-shot moderation, uplink')
  .version(version)
program
  .command('run')
  .description('run the agent until SIGINT or SIGTERM')
  .option('-c, --config <file>', 'YAML settings (docs/configuration.md)')
  .option('--announce', 'print a line for every incident')
  .action(run)
addFieldCommands(program, { version, readSettings: loadOwnSettings })
const config = program.command('config').description('settings')
config
  .command('schema')
  .description('print the JSON Schema of the settings')
  .action(() => console.log(JSON.stringify(AgentSettings, null, 2)))
config
  .command('check')
  .description('check settings and print them with the defaults filled in')
  .argument('[file]', 'YAML settings')
  .action(async (file: string | undefined) => {
    const { settings } = await loadOwnSettings(file)
    const cameras = settings.cameras.map(camera => ({ ...camera, source: redactUrl(camera.source) }))
    const broker = { ...settings.broker, url: redactUrl(settings.broker.url) }
    const actions = publicActions(settings.actions)
    console.log(JSON.stringify({ ...settings, cameras, broker, actions }, null, 2))
  })

try {
  await program.parseAsync()
} catch (error) {
  console.error(faultText(error))
  process.exit(1)
}
