#!/usr/bin/env node
import { faultText } from '@sightline/core/errors.js'
import { Command } from 'commander'
import { evalCommand } from './cli/eval-command.ts'
import { infoCommand, verifyCommand } from './cli/inspect-commands.ts'
import { quantizeCommand } from './cli/quantize-command.ts'
import { addRegistryCommands } from './cli/registry-commands.ts'

const program = new Command('sightline-models')
  .description('make, check and describe the models that Sightline runs')
  .addCommand(quantizeCommand())
  .addCommand(verifyCommand())
  .addCommand(infoCommand())
  .addCommand(evalCommand())
addRegistryCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  console.error(faultText(error))
  process.exitCode = 1
}
