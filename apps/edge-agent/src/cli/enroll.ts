import { resolve } from 'node:path'
import { Command } from 'commander'
import { dataDirOf } from '../device-settings.ts'
import { forgetCredential } from '../enroll/credential.ts'
import { enroll } from '../enroll/enroll.ts'

interface EnrollFlags {
  readonly hub: string
  readonly token: string
  readonly force: boolean
}

interface PlaceFlags {
  readonly config?: string
  readonly dataDir?: string
}

/** `enroll` and `unenroll`. */
export function enrollCommands(version: string): Command[] {
  const take = placed(new Command('enroll'))
    .description('make this device known to a hub, with the one-time token that the hub printed')
    .requiredOption('--hub <url>', "the hub's https address")
    .requiredOption('--token <token>', 'slt1.…, for one device, once')
    .option('--force', 'replace the credential of another hub', false)
    .action(async ({ hub, token, force, ...place }: EnrollFlags & PlaceFlags) => {
      const dataDir = await dirOf(place)
      const credential = await enroll({ hub, token, force, dataDir, agent: version })
      console.log(`enrolled as ${credential.site}/${credential.node} at ${credential.hubUrl}`)
      console.log(`credential in ${dataDir}; start the agent, or restart it`)
    })
  const forget = placed(new Command('unenroll'))
    .description('forget the credential of this device; revoke it on the hub, too')
    .action(async (place: PlaceFlags) => {
      const there = await forgetCredential(await dirOf(place))
      console.log(there ? 'credential removed' : 'this device was not enrolled')
    })
  return [take, forget]
}

function placed(command: Command): Command {
  return command
    .option('-c, --config <file>', 'YAML settings of the agent, for its data directory')
    .option('-d, --data-dir <dir>', 'data directory of the agent')
}

async function dirOf({ config, dataDir }: PlaceFlags): Promise<string> {
  return dataDir === undefined ? await dataDirOf(config) : resolve(dataDir)
}
