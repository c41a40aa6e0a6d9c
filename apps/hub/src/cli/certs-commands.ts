import { resolve } from 'node:path'
import { fault } from '@sightline/core'
import type { Command } from 'commander'
import {
  type CertificateFacts,
  type CertificateOrder,
  initCertificates,
  renewCertificates,
  SERVER_DAYS,
  showCertificates,
} from '../tls/own-certificates.ts'
import { readSettings } from './read-settings.ts'

interface CertsOptions {
  readonly config?: string
  readonly name: readonly string[]
  readonly ip: readonly string[]
  readonly days: string
}

/** `certs init`, `renew` and `show`. */
export function addCertsCommands(program: Command): void {
  const certs = program
    .command('certs')
    .description('certificate authority and server certificate of the hub')
  const collect = (value: string, before: readonly string[]) => [...before, value]
  const ordering = (command: Command) =>
    command
      .option('--name <dns>', 'name by which devices reach the hub; may be repeated', collect, [])
      .option('--ip <address>', 'IP address by which devices reach the hub; may be repeated', collect, [])
      .option('--days <days>', 'validity of the server certificate', String(SERVER_DAYS))
      .option('-c, --config <file>', 'YAML settings of the hub')
  ordering(certs.command('init'))
    .description('make both, in tls/ of the data directory; without names those of this machine')
    .action((options: CertsOptions) => order(options, initCertificates))
  ordering(certs.command('renew'))
    .description('make a new server certificate; the authority stays, so devices need not enrol again')
    .action((options: CertsOptions) => order(options, renewCertificates))
  certs
    .command('show')
    .description('print names, expiry and fingerprints')
    .option('-c, --config <file>', 'YAML settings of the hub')
    .action(async ({ config }: { config?: string }) => print(resolve((await readSettings(config)).dataDir)))
}

async function order(
  { config, name, ip, days: text }: CertsOptions,
  make: (order: CertificateOrder) => Promise<void>,
): Promise<void> {
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > 3650)
    throw fault('API_BAD_REQUEST', `--days ${text}: say 1 to 3650`)
  const dataDir = resolve((await readSettings(config)).dataDir)
  await make({ dataDir, names: [...name, ...ip], days, now: Date.now() })
  await print(dataDir)
}

async function print(dataDir: string): Promise<void> {
  for (const facts of await showCertificates(dataDir)) console.log(linesOf(facts).join('\n'))
}

function linesOf({ file, subject, names, notAfter, sha256 }: CertificateFacts): string[] {
  const days = Math.floor((notAfter - Date.now()) / 86_400_000)
  return [
    file,
    `  subject   ${subject}`,
    ...(names.length === 0 ? [] : [`  names     ${names.join(', ')}`]),
    `  expires   ${new Date(notAfter).toISOString()} (${days < 0 ? 'EXPIRED' : `in ${days} days`})`,
    `  SHA-256   ${sha256}`,
  ]
}
