#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { faultText } from '@sightline/core/errors.js'
import { Command } from 'commander'
import { evalCommand } from './cli/eval-command.ts'
import { infoCommand, verifyCommand } from './cli/inspect-commands.ts'
import { quantizeCommand } from './cli/quantize-command.ts'
import { addRegistryCommands } from './cli/registry-commands.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const program = new Command('sightline-models')
  .description('make, check and describe the models that Sightline runs')
  .version(version)
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
