import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import type { People } from '../auth/people.ts'
import type { Grant, Role } from '../auth/person.ts'
import { readSettings } from './read-settings.ts'
import { withPeople } from './with-people.ts'

const CLI_ACTOR = 'cli'
const CONFIG_OPTION = ['-c, --config <file>', 'YAML settings of the hub (docs/configuration.md)'] as const
const SCOPE_OPTION = [
  '--scope <globs...>',
  'limit a viewer to SITE, SITE/NODE or SITE/NODE/CAMERA, * in each; default: everything',
] as const
const DAY_MS = 86_400_000

interface Options {
  readonly config?: string
  readonly role?: Role
  readonly scope?: string[]
  readonly days?: string
  readonly json?: boolean
}

/** `users` and `keys`. Who may write the data directory may do everything: there is no further check. */
export function addPeopleCommands(program: Command): void {
  addUserCommands(program.command('users').description('people who sign in'))
  addKeyCommands(program.command('keys').description('API keys of programs'))
}

function addUserCommands(users: Command): void {
  users
    .command('add')
    .description('add a user; the password is asked for, or read from stdin')
    .argument('<name>', 'name to sign in with')
    .requiredOption('--role <role>', 'viewer, operator or admin')
    .option(...SCOPE_OPTION)
    .option(...CONFIG_OPTION)
    .action((name: string, options: Options) =>
      people(options, async ({ users: desk }) => {
        const password = await askPassword(`password of ${name}: `)
        await desk.add({ name, password, ...grantOf(options) }, { actor: CLI_ACTOR })
        console.log(`${name} can sign in as ${options.role}`)
      }),
    )
  users
    .command('password')
    .description('give a user a new password, asked for or read from stdin; his sessions end')
    .argument('<name>', 'the user')
    .option(...CONFIG_OPTION)
    .action((name: string, options: Options) =>
      people(options, async ({ users: desk }) => {
        await desk.change(
          name,
          { password: await askPassword(`new password of ${name}: `) },
          { actor: CLI_ACTOR },
        )
        console.log(`${name} has a new password and is signed out everywhere`)
      }),
    )
  users
    .command('set')
    .description('change the role of a user, and to what he is limited')
    .argument('<name>', 'the user')
    .requiredOption('--role <role>', 'viewer, operator or admin')
    .option(...SCOPE_OPTION)
    .option(...CONFIG_OPTION)
    .action((name: string, options: Options) =>
      people(options, async ({ users: desk }) => {
        await desk.change(name, grantOf(options), { actor: CLI_ACTOR })
        console.log(`${name} is ${options.role}`)
      }),
    )
  users
    .command('remove')
    .description('remove a user; his sessions end')
    .argument('<name>', 'the user')
    .option(...CONFIG_OPTION)
    .action((name: string, options: Options) =>
      people(options, async ({ users: desk }) => {
        await desk.remove(name, CLI_ACTOR)
        console.log(`${name} is removed`)
      }),
    )
  users
    .command('list')
    .description('list the users')
    .option('--json', 'as JSON')
    .option(...CONFIG_OPTION)
    .action((options: Options) =>
      people(options, async ({ users: desk }) => {
        const all = desk.list().map(({ passwordHash: _, ...rest }) => rest)
        if (options.json) return console.log(JSON.stringify(all, null, 2))
        if (all.length === 0) console.log('no users: sightline-hub users add adds one')
        for (const { name, role, scope } of all) console.log([name, role, ...(scope ?? [])].join('  '))
      }),
    )
}

function addKeyCommands(keys: Command): void {
  keys
    .command('add')
    .description('make an API key; it is printed once')
    .argument('<name>', 'what it is for')
    .requiredOption('--role <role>', 'viewer, operator or admin')
    .option(...SCOPE_OPTION)
    .option('--days <days>', 'how long it works; default: until it is revoked')
    .option(...CONFIG_OPTION)
    .action((name: string, options: Options) =>
      people(options, async ({ keys: desk }) => {
        const lifeMs = options.days === undefined ? undefined : Number(options.days) * DAY_MS
        const { key, secret } = await desk.issue({ name, lifeMs, ...grantOf(options) }, CLI_ACTOR)
        // The key alone on stdout, for scripts.
        console.log(secret)
        console.error(`key ${key.id}; it is not shown again`)
      }),
    )
  keys
    .command('revoke')
    .description('revoke an API key')
    .argument('<id>', 'see keys list')
    .option(...CONFIG_OPTION)
    .action((id: string, options: Options) =>
      people(options, async ({ keys: desk }) => {
        await desk.revoke(id, CLI_ACTOR)
        console.log(`${id} is revoked`)
      }),
    )
  keys
    .command('list')
    .description('list the API keys')
    .option('--json', 'as JSON')
    .option(...CONFIG_OPTION)
    .action((options: Options) =>
      people(options, async ({ keys: desk }) => {
        const all = desk.list().map(({ hash: _, ...rest }) => rest)
        if (options.json) return console.log(JSON.stringify(all, null, 2))
        if (all.length === 0) console.log('no keys: sightline-hub keys add makes one')
        for (const { id, name, role, scope, expiresAt } of all) {
          const until = expiresAt === null ? 'never expires' : `until ${new Date(expiresAt).toISOString()}`
          console.log([id, name, role, ...(scope ?? []), until].join('  '))
        }
      }),
    )
}

async function people(options: Options, work: (people: People) => Promise<void>): Promise<void> {
  await withPeople(await readSettings(options.config), work)
}

function grantOf({ role = 'viewer', scope = [] }: Options): Grant {
  return { role, scope: scope.length === 0 ? null : scope }
}

/** Not an argument, for those are in the list of processes and in the history of the shell. */
async function askPassword(question: string): Promise<string> {
  const { stdin, stderr } = process
  if (stdin.isTTY) stderr.write(question)
  // What is typed is not shown.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: silent, terminal: stdin.isTTY })
  try {
    for await (const line of lines) return line
    return ''
  } finally {
    lines.close()
    if (stdin.isTTY) stderr.write('\n')
  }
}
