import { systemClock } from '@sightline/core'
import { Command } from 'commander'
import { examine } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/finding.ts'
import { renderFinding, renderSummary } from '../doctor/render.ts'
import { loginOf } from '../enroll/credential.ts'
import type { CommandContext } from './field-commands.ts'
import { renderOptions } from './terminal.ts'

interface DoctorFlags {
  readonly config?: string
  readonly hub?: string
  readonly json?: boolean
}

/** `doctor`: is everything here that these settings ask for? Exit code 1 when not. */
export function doctorCommand(context: CommandContext): Command {
  return new Command('doctor')
    .description('check device, model, providers, cameras and hub; exit code 1 when something is missing')
    .option('-c, --config <file>', 'YAML settings (docs/configuration.md)')
    .option('--hub <url>', "the hub's HTTP address, to compare the clocks")
    .option('--json', 'print one JSON document instead')
    .action((flags: DoctorFlags) => doctor(flags, context))
}

async function doctor({ config, hub, json }: DoctorFlags, context: CommandContext): Promise<void> {
  const { settings, credential } = await context.readSettings(config)
  // Behind an authority of its own the hub's clock cannot be asked with the built-in fetch.
  const hubUrl = hub ?? (credential?.ca === null ? credential.hubUrl : undefined)
  const options = renderOptions()
  const { site, node } = settings
  if (!json)
    console.log(`sightline-agent ${context.version} · ${site}/${node} · ${config ?? 'default settings'}`)
  const findings: Finding[] = []
  for await (const finding of examine({
    settings,
    clock: systemClock,
    ...(hubUrl === undefined ? {} : { hubUrl }),
    ...(credential === undefined ? {} : { login: loginOf(credential) }),
  })) {
    if (!json) console.log(renderFinding(finding, findings.at(-1), options).join('\n'))
    findings.push(finding)
  }
  const ok = !findings.some(({ mark }) => mark === 'fail')
  if (json) console.log(JSON.stringify({ agent: context.version, site, node, ok, findings }, null, 2))
  else console.log(`\n${renderSummary(findings, options)}`)
  // A driver or a camera that hangs must not keep the command from ending.
  process.exit(ok ? 0 : 1)
}
