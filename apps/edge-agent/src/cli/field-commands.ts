import type { Command } from 'commander'
import type { OwnSettings } from '../device-settings.ts'
import { benchCommand } from './bench.ts'
import { canaryCommand } from './canary.ts'
import { doctorCommand } from './doctor.ts'
import { enrollCommands } from './enroll.ts'

export interface CommandContext {
  readonly version: string
  readonly readSettings: (file: string | undefined) => Promise<OwnSettings>
}

/** The commands of whoever sets up a device. */
export function addFieldCommands(program: Command, context: CommandContext): void {
  const tools = [doctorCommand(context), benchCommand(context), canaryCommand()]
  for (const command of [...enrollCommands(context.version), ...tools]) program.addCommand(command)
}
