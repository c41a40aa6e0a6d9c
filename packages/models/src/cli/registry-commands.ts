import { stderr } from 'node:process'
import { VARIANTS, type VariantName } from '@sightline/core/clip/model-manifest.js'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { megabytes } from '../pull/free-space.ts'
import { PullLines } from '../pull/progress.ts'
import { pullModel } from '../pull/pull.ts'
import { filesOfEntry, loadRegistry } from '../registry/registry.ts'
import { type RegistryEntry, UNPINNED } from '../registry/schema.ts'
import { importModel } from '../store/import.ts'
import { installedModels, modelStoreFiles } from '../store/model-store.ts'
import { defaultStoreDir, StoreLayout } from '../store/paths.ts'

interface StoreFlags {
  readonly store: string
  readonly registry: readonly string[]
  readonly json: boolean
}

interface PullFlags extends StoreFlags {
  readonly mirror?: string
  readonly offline?: string
  readonly repin: boolean
  readonly reserve: number
}

type Variants = Partial<Record<VariantName, string>>

interface ImportFlags extends StoreFlags {
  readonly image?: string
  readonly text?: string
  readonly tokenizer?: string
  readonly variant: Variants
  readonly title?: string
  readonly version?: string
  readonly dim?: number
  readonly size?: number
  readonly resize?: 'crop' | 'squash'
  readonly mean?: [number, number, number]
  readonly std?: [number, number, number]
  readonly contextLength?: number
  readonly logitScale?: number
  readonly license?: string
  readonly licenseNotice?: string
}

const PULL_NOTES = `
Files whose sha256 the registry does not know are trusted the first time; what they were is kept in STORE/.pins, and a
later pull that finds other content is refused. --repin forgets that, after a change that was announced.

--mirror takes a Hugging Face endpoint or a model store that a hub serves; http is allowed there, and with it whoever
can alter the traffic can alter files that nothing pins. --offline takes a folder: a model store, a copy of the
repository, or one folder per model. Proxies: NODE_USE_ENV_PROXY=1 with HTTPS_PROXY (Node 24 or later).`

/** `sightline-models list`, `pull` and `import`. */
export function addRegistryCommands(program: Command): Command {
  shared(program.command('list'))
    .description('models that can be pulled, and those that are in the store')
    .action(list)
  shared(program.command('pull'))
    .description('fetch a model into the store, or finish or repair what is there')
    .argument('<name>', 'model of the registry, or of the hub that --mirror names')
    .addOption(new Option('--mirror <url>', 'fetch from here instead').env('SIGHTLINE_MODEL_MIRROR'))
    .option('--offline <dir>', 'take the files from a folder, without network')
    .option('--repin', 'trust what the source has now', false)
    .option('--reserve <megabytes>', 'space to leave free on the disk', count, 64)
    .addHelpText('after', PULL_NOTES)
    .action(pull)
  shared(program.command('import'))
    .description(
      'take a model of your own into the store: a model directory, or ONNX towers with a tokenizer',
    )
    .argument('<dir>', 'folder with the files')
    .argument('<name>', 'name to give it')
    .option('--image <file>', 'image tower, relative to the folder')
    .option('--text <file>', 'text tower')
    .option('--tokenizer <file>', 'tokenizer.json; tokenizer_config.json must lie beside it')
    .option(
      '--variant <kind=file>',
      `image tower in another precision, ${VARIANTS.join(', ')}; may be repeated`,
      variant,
      {},
    )
    .option('--title <text>', 'for people')
    .option('--version <text>', 'version of the model')
    .option('--dim <values>', 'embedding length', count)
    .option('--size <pixels>', 'side of the picture', count)
    .addOption(new Option('--resize <how>').choices(['crop', 'squash']))
    .option('--mean <r,g,b>', 'of values in 0..1', triple)
    .option('--std <r,g,b>', 'of values in 0..1', triple)
    .option('--context-length <tokens>', 'longest text', count)
    .option('--logit-scale <factor>', 'inverse temperature', number)
    .option('--license <spdx>', 'SPDX expression, or LicenseRef-…')
    .option('--license-notice <text>', 'what a user must have read')
    .action(take)
  return program
}

function shared(command: Command): Command {
  return command
    .option('--store <dir>', 'model store', defaultStoreDir())
    .option('--registry <file>', 'registry file laid over the built-in one; may be repeated', collect, [])
    .option('--json', 'print the result as JSON', false)
}

async function list({ store, registry, json }: StoreFlags): Promise<void> {
  const entries = (await loadRegistry(registry)).entries()
  const installed = await installedModels(new StoreLayout(store))
  if (json) {
    console.log(
      JSON.stringify({ registry: entries, store: (await modelStoreFiles(store).list()).models }, null, 2),
    )
    return
  }
  const names = new Set(installed.map(({ name }) => name))
  console.log('Registry (* is in the store)')
  for (const entry of entries) console.log(`${names.has(entry.name) ? '*' : ' '} ${entryLine(entry)}`)
  const own = installed.filter(({ name }) => !entries.some(entry => entry.name === name))
  if (own.length > 0) console.log(`\nOnly in ${store}`)
  for (const { name, manifest } of own)
    console.log(`* ${name.padEnd(28)} ${manifest.dim}-d  ${manifest.title}`)
}

function entryLine(entry: RegistryEntry): string {
  const files = filesOfEntry(entry)
  const known = files.every(({ bytes }) => bytes !== null)
  const bytes = files.reduce((sum, file) => sum + (file.bytes ?? 0), 0)
  const size = bytes === 0 ? 'size unknown' : `${known ? '' : '> '}${megabytes(bytes)}`
  const pinned = [entry.files.image, entry.files.text].some(({ sha256 }) => sha256 === UNPINNED)
    ? 'unpinned'
    : 'pinned'
  const accuracy = entry.zeroShot
    ? `${(entry.zeroShot.value * 100).toFixed(1)} % ${entry.zeroShot.dataset}`
    : 'accuracy unknown'
  const columns = [
    entry.name.padEnd(28),
    `${entry.dim}-d`.padEnd(7),
    size.padEnd(13),
    pinned.padEnd(9),
    accuracy.padEnd(20),
  ]
  return `${columns.join(' ')} ${entry.license.spdx.padEnd(11)} ${entry.title}`
}

async function pull(name: string, flags: PullFlags): Promise<void> {
  const progress = new PullLines(stderr)
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('interrupted; the next pull goes on from here'))
  process.once('SIGINT', interrupt)
  try {
    const result = await pullModel({
      name,
      registry: await loadRegistry(flags.registry),
      layout: new StoreLayout(flags.store),
      mirror: flags.mirror,
      offline: flags.offline,
      repin: flags.repin,
      reserveBytes: flags.reserve * 1e6,
      signal: stop.signal,
      progress,
    })
    if (flags.json) {
      console.log(JSON.stringify(result, null, 2))
      return
    }
    console.log(`${result.fingerprint}  ${result.changed ? 'in' : 'was already in'} ${result.dir}`)
    if (result.trusted.length > 0) console.log(`trusted on first use: ${result.trusted.join(', ')}`)
    console.log(`licence ${result.manifest.license.spdx}: ${result.manifest.license.notice}`)
  } finally {
    process.off('SIGINT', interrupt)
  }
}

/** A name of the registry takes its layout and its hashes; any other name is a model of one's own. */
async function take(dir: string, name: string, flags: ImportFlags): Promise<void> {
  const { store, registry: files, json, license, licenseNotice, variant: variants, ...options } = flags
  const registry = await loadRegistry(files)
  const layout = new StoreLayout(store)
  const known = registry.find(name) !== undefined
  const result = known
    ? { ...(await pullModel({ name, registry, layout, offline: dir, repin: false })), assumed: [] }
    : await importModel({
        ...options,
        variants,
        dir,
        name,
        layout,
        ...(license ? { license: { spdx: license, notice: licenseNotice ?? `Terms: ${license}.` } } : {}),
      })
  if (json) {
    console.log(JSON.stringify(result, null, 2))
    return
  }
  console.log(`${result.fingerprint}  in ${result.dir}`)
  for (const line of result.assumed) console.log(`assumed: ${line}`)
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value]
}

function variant(value: string, earlier: Variants): Variants {
  const [kind = '', file = ''] = value.split(/=(.*)/s)
  const known = VARIANTS.find(each => each === kind)
  if (known === undefined || file === '')
    throw new InvalidArgumentError(`as in fp16=vision_fp16.onnx; kinds are ${VARIANTS.join(', ')}`)
  return { ...earlier, [known]: file }
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('not a number')
  return value
}

function count(text: string): number {
  const value = number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('not a whole number from 1 on')
  return value
}

function triple(text: string): [number, number, number] {
  const values = text.split(',').map(number)
  if (values.length !== 3) throw new InvalidArgumentError('three numbers, as in 0.48,0.46,0.41')
  return values as [number, number, number]
}
