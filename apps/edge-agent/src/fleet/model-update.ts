import { fault, type Log, messageOf } from '@sightline/core'
import type { PullProgress } from '@sightline/models/pull/progress.js'
import type { CommandContext } from '../commands/command-desk.ts'
import type { ModelSlots, Slot } from '../model-slots.ts'
import type { ConfigShadow } from './config-shadow.ts'
import type { Lives } from './lives.ts'
import type { DeviceSettings } from './remote-settings.ts'

const MODEL_START_MS = 120_000
const PROVE_MS = 60_000
const PROGRESS_SHARE = 0.1
/** Smaller files are here before anybody has read that they are on their way. */
const PROGRESS_MIN_BYTES = 4 * 2 ** 20

export interface ModelUpdateOptions {
  readonly models: ModelSlots
  readonly shadow: ConfigShadow
  readonly lives: Lives
  readonly log: Log
}

/** Changes the model of a running device, and takes the change back when the new one does not do. */
export class ModelUpdate {
  readonly #options: ModelUpdateOptions

  constructor(options: ModelUpdateOptions) {
    this.#options = options
  }

  /**
   * Pulls, verifies, switches, proves; each step is told.
   * @param name null: back to the device's own model
   * @throws CONFIG_CONFLICT, CREDENTIAL_MISSING, MODEL_*; MODEL_ROLLED_BACK when the new one was tried and did not do
   */
  async update(name: string | null, { id, signal, progress }: CommandContext): Promise<unknown> {
    const { models, shadow, lives } = this.#options
    if (shadow.settings.model.name !== undefined)
      throw fault('CONFIG_CONFLICT', `the configuration sets model.name to ${shadow.settings.model.name}`)
    const former = lives.agent.fingerprint
    let choice: Slot | null = null
    if (name !== null) {
      progress(`pulling ${name}`)
      choice = await models.fetch(name, { signal, progress: told(progress) })
      if (choice.fingerprint === former) return { fingerprint: former, changed: false }
      progress(`${choice.fingerprint} is here, every file verified`)
    }
    return await lives.exclusively(async () => {
      await models.begin(choice, id)
      progress('switching')
      try {
        await lives.begin(shadow.settings, MODEL_START_MS)
        progress('the known embeddings are right; waiting for a frame')
        await lives.prove(PROVE_MS)
      } catch (error) {
        await this.#back(error)
        throw fault('MODEL_ROLLED_BACK', messageOf(error), { cause: error })
      }
      await models.commit()
      return { fingerprint: lives.agent.fingerprint, former, changed: true }
    })
  }

  /** Proves a model that was on trial when the agent last stopped. @returns the outcome for its command */
  async resume(): Promise<unknown> {
    const { models, lives } = this.#options
    return await lives.exclusively(async () => {
      try {
        await lives.prove(PROVE_MS)
      } catch (error) {
        await this.#back(error)
        return fault('MODEL_ROLLED_BACK', messageOf(error), { cause: error })
      }
      await models.commit()
      return undefined
    })
  }

  /** Sees that the model which settings name is here and, when it was not, on trial. */
  async prepare({ model }: DeviceSettings, signal: AbortSignal): Promise<void> {
    const { models, log } = this.#options
    if (model.name === undefined || models.active?.name === model.name) return
    log.info({ model: model.name }, 'pulling the configured model')
    const choice = await models.fetch(model.name, { signal, progress: told(text => log.info(text)) })
    await models.begin(choice, null)
  }

  async #back(error: unknown): Promise<void> {
    const { models, shadow, lives, log } = this.#options
    // Cut short, it is still on trial at the next start.
    if (lives.stopped) throw error
    log.error({ err: error }, 'new model does not do; going back')
    await models.rollBack()
    await lives.begin(shadow.settings, MODEL_START_MS)
  }
}

/** A line per tenth of a large file. */
function told(tell: (text: string) => void): PullProgress {
  let path = ''
  let total: number | undefined
  let nextShare = 0
  return {
    file: (name, doneBytes, totalBytes) => {
      path = name
      total = totalBytes
      const large = totalBytes !== undefined && totalBytes >= PROGRESS_MIN_BYTES
      nextShare = large ? doneBytes / totalBytes + PROGRESS_SHARE : Number.POSITIVE_INFINITY
    },
    bytes: doneBytes => {
      if (!total || doneBytes / total < nextShare) return
      nextShare = doneBytes / total + PROGRESS_SHARE
      tell(`${path}: ${Math.round((100 * doneBytes) / total)} %`)
    },
    note: tell,
    end: () => {},
  }
}
