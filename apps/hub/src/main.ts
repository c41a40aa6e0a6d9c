#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import {
  createLog,
  FAIL_POINT_VARIABLE,
  failPointFrom,
  faultText,
  onShutdownSignal,
  ServiceManager,
  systemClock,
} from '@sightline/core'
import { Command } from 'commander'
import { addCertsCommands } from './cli/certs-commands.ts'
import { addFleetCommands } from './cli/fleet-commands.ts'
import { addForgetCommand } from './cli/forget-command.ts'
import { addPeopleCommands } from './cli/people-commands.ts'
import { readSettings } from './cli/read-settings.ts'
import { rulesCommand } from './cli/rules-command.ts'
import { addSearchCommands } from './cli/search-command.ts'
import { addSnapshotCommands } from './cli/snapshot.ts'
import { addVerifyCommand } from './cli/verify-command.ts'
import { HubSettings } from './settings.ts'
import { speaksTls } from './tls/exposure.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

async function serve({ config }: { config?: string }): Promise<void> {
  const settings = await readSettings(config)
  const log = createLog({ name: 'hub', level: settings.log.level })
  const failPoint = failPointFrom(process.env[FAIL_POINT_VARIABLE])
  // Only here: the other commands need no model runtime, which takes a second to load.
  const { createHub } = await import('./hub.ts')
  const hub = await createHub({ settings, log, clock: systemClock, version, failPoint })
  const manager = new ServiceManager({ env: process.env, log })
  await hub.start()
  onShutdownSignal(async () => {
    await manager.stopping()
    await hub.stop()
  })
  process.on('SIGHUP', () => void hub.reload())
  const { http, mqtt, broker, tls } = settings
  const address = (scheme: string, host: string, port: number) =>
    `${scheme}${speaksTls(tls, host) ? 's' : ''}://${host}:${port}`
  await manager.ready()
  console.log(
    `hub ready: ${address('http', http.host, hub.httpPort)} · ${broker.url ?? address('mqtt', mqtt.host, hub.mqttPort)}`,
  )
  const setupUrl = hub.setupUrl()
  if (setupUrl !== undefined)
    console.log(`nobody can sign in yet: make the first admin at ${setupUrl} (once, until the hub stops)`)
}

/** Of URLs such as index.postgres.url. */
function withoutPasswords(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^([a-z+]+:\/\/[^/?#]*:)[^/?#]*@/i, '$1***@') : value
}

const program = new Command('sightline-hub')
  .description('Central hub: MQTT broker, store, search, rules, dashboard')
  .version(version)
program
  .command('serve')
  .description('run the hub until SIGINT or SIGTERM')
  .option('-c, --config <file>', 'YAML settings (docs/configuration.md)')
  .action(serve)
addSearchCommands(program)
addForgetCommand(program)
addVerifyCommand(program, { readSettings })
const snapshotPoint = () => failPointFrom(process.env[FAIL_POINT_VARIABLE])
addSnapshotCommands(program, { readSettings, version, snapshotPoint })
addFleetCommands(program)
addCertsCommands(program)
addPeopleCommands(program)
const config = program.command('config').description('settings')
config
  .command('schema')
  .description('print the JSON Schema of the settings')
  .action(() => console.log(JSON.stringify(HubSettings, null, 2)))
config
  .command('check')
  .description('check settings and print them with the defaults filled in')
  .argument('[file]', 'YAML settings')
  .action(async (file: string | undefined) =>
    console.log(JSON.stringify(await readSettings(file), withoutPasswords, 2)),
  )
program.addCommand(rulesCommand())

try {
  await program.parseAsync()
} catch (error) {
  console.error(faultText(error))
  process.exit(1)
}
