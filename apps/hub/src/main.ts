#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import {
  createLog,
  FAIL_POINT_VARIABLE,
  failPointFrom,
  faultText,
  loadConfig,
  onShutdownSignal,
  systemClock,
} from '@sightline/core'
import { Command } from 'commander'
import { rulesCommand } from './cli/rules-command.ts'
import { addSnapshotCommands } from './cli/snapshot.ts'
import { createHub } from './hub.ts'
import { HUB_ENVIRONMENT, HubSettings } from './settings.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const readSettings = (file: string | undefined) =>
  loadConfig({ schema: HubSettings, file, environment: HUB_ENVIRONMENT, env: process.env })

async function serve({ config }: { config?: string }): Promise<void> {
  const settings = await readSettings(config)
  const log = createLog({ name: 'hub', level: settings.log.level })
  const failPoint = failPointFrom(process.env[FAIL_POINT_VARIABLE])
  const hub = await createHub({ settings, log, clock: systemClock, version, failPoint })
  await hub.start()
  onShutdownSignal(() => hub.stop())
  console.log(
    `hub ready: http://${settings.http.host}:${hub.httpPort} · mqtt://${settings.mqtt.host}:${hub.mqttPort}`,
  )
}

const program = new Command('sightline-hub')
  .description('Central hub: MQTT broker, store, search, rules, dashboard')
  .version(version)
program
  .command('serve')
  .description('run the hub until SIGINT or SIGTERM')
  .option('-c, --config <file>', 'YAML settings (docs/configuration.md)')
  .action(serve)
const snapshotPoint = () => failPointFrom(process.env[FAIL_POINT_VARIABLE])
addSnapshotCommands(program, { readSettings, version, snapshotPoint })
const config = program.command('config').description('settings')
config
  .command('schema')
  .description('print the JSON Schema of the settings')
  .action(() => console.log(JSON.stringify(HubSettings, null, 2)))
config
  .command('check')
  .description('check settings and print them with the defaults filled in')
  .argument('[file]', 'YAML settings')
  .action(async (file: string | undefined) => console.log(JSON.stringify(await readSettings(file), null, 2)))
program.addCommand(rulesCommand())

try {
  await program.parseAsync()
} catch (error) {
  console.error(faultText(error))
  process.exit(1)
}
