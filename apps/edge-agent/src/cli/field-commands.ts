import type { Command } from 'commander'
import type { AgentSettings } from '../settings.ts'
import { benchCommand } from './bench.ts'
import { canaryCommand } from './canary.ts'
import { doctorCommand } from './doctor.ts'

export interface CommandContext {
  readonly version: string
  readonly readSettings: (file: string | undefined) => Promise<AgentSettings & { readonly node: string }>
}

/** The commands of whoever sets up a device. */
export function addFieldCommands(program: Command, context: CommandContext): void {
  for (const command of [doctorCommand(context), benchCommand(context), canaryCommand()])
    program.addCommand(command)
}
