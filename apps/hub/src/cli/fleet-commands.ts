import { type Address, fault } from '@sightline/core'
import type { Command } from 'commander'
import type { DeviceRecord } from '../fleet/device-registry.ts'
import { enrolCommand, hubUrls } from '../fleet/hub-urls.ts'
import { readSettings } from './read-settings.ts'
import { CLI_ACTOR, withDesk } from './with-desk.ts'

const CONFIG_OPTION = ['-c, --config <file>', 'YAML settings of the hub (docs/configuration.md)'] as const
const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

interface EnrollOptions {
  readonly config?: string
  readonly site: string
  readonly name: string
  readonly expires: string
  readonly hub?: string
}

/** `enroll` and `devices`. */
export function addFleetCommands(program: Command): void {
  program
    .command('enroll')
    .description('print the command that enrols one device, once')
    .requiredOption('--site <site>', 'site of the device')
    .requiredOption('--name <node>', 'name of the device')
    .option('--expires <time>', 'how long the token can be used: 90s, 15m, 2h, 1d', '15m')
    .option(
      '--hub <url>',
      'address by which the device reaches this hub; default: http.publicUrl, or its own',
    )
    .option(...CONFIG_OPTION)
    .action(enroll)
  const devices = program.command('devices').description('enrolled devices')
  devices
    .command('list')
    .description('list the devices and the tokens that can still be used')
    .option('--json', 'as JSON')
    .option(...CONFIG_OPTION)
    .action(list)
  devices
    .command('revoke')
    .description('turn a device away; its connection ends within a second')
    .argument('<site/node>', 'the device')
    .option(...CONFIG_OPTION)
    .action(async (device: string, { config }: { config?: string }) => {
      const { site, node } = addressOf(device)
      await withDesk(await readSettings(config), desk => desk.revoke({ site, node }, CLI_ACTOR))
      console.log(`${site}/${node} is revoked`)
    })
  devices
    .command('rotate')
    .description('have a device change its secret, as soon as it is connected')
    .argument('<site/node>', 'the device')
    .option(...CONFIG_OPTION)
    .action(async (device: string, { config }: { config?: string }) => {
      const { site, node } = addressOf(device)
      await withDesk(await readSettings(config), desk => desk.askRotation({ site, node }, CLI_ACTOR))
      console.log(`${site}/${node} changes its secret as soon as it is connected`)
    })
}

async function enroll({ config, site, name: node, expires, hub }: EnrollOptions): Promise<void> {
  const settings = await readSettings(config)
  const { http, mqtt } = settings
  if (hub === undefined && http.publicUrl === undefined && http.port === 0)
    throw fault('CONFIG_INVALID', 'http.port is any free one: say where the hub is with --hub')
  const url = hub ?? hubUrls({ settings, httpPort: http.port, mqttPort: mqtt.port }).hubUrl
  const lifeMs = millisOf(expires)
  await withDesk(settings, async desk => {
    const known = desk.devices().find(each => each.site === site && each.node === node)
    const { token, expiresAt } = await desk.issue({ site, node }, { actor: CLI_ACTOR, lifeMs })
    // The command alone on stdout, for scripts.
    console.log(enrolCommand(url.replace(/\/+$/, ''), token))
    console.error(`run it on the device before ${new Date(expiresAt).toISOString()}; it works once`)
    if (known !== undefined && known.revokedAt === null)
      console.error(`${site}/${node} is enrolled already: its present credential ends when this one is used`)
  })
}

async function list({ config, json = false }: { config?: string; json?: boolean }): Promise<void> {
  await withDesk(await readSettings(config), async desk => {
    const devices = desk.devices().map(({ secretHash: _, previous: __, ...rest }) => rest)
    const enrollments = desk.open().map(({ tokenHash: _, ...rest }) => rest)
    if (json) return console.log(JSON.stringify({ devices, enrollments }, null, 2))
    if (devices.length + enrollments.length === 0) console.log('no devices: sightline-hub enroll adds one')
    for (const device of desk.devices()) console.log(deviceLine(device))
    for (const { site, node, id, expiresAt } of enrollments)
      console.log(`${site}/${node}  waiting  token ${id} until ${new Date(expiresAt).toISOString()}`)
  })
}

function deviceLine({ site, node, revokedAt, rotationAskedAt, lastUsedAt }: DeviceRecord): string {
  const state = revokedAt !== null ? 'revoked' : rotationAskedAt !== null ? 'to rotate' : 'enrolled'
  const used = lastUsedAt === null ? 'never logged in' : `last log-in ${new Date(lastUsedAt).toISOString()}`
  return `${site}/${node}  ${state}  ${used}`
}

function addressOf(text: string): Address {
  const [site = '', node = '', ...rest] = text.split('/')
  if (site === '' || node === '' || rest.length > 0)
    throw fault('API_BAD_REQUEST', `${text}: name the device as SITE/NODE`)
  return { site, node }
}

function millisOf(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (count === undefined) throw fault('API_BAD_REQUEST', `--expires ${text}: say 90s, 15m, 2h or 1d`)
  return Number(count) * UNITS_MS[unit!]!
}
