import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Clock, type FailPoint, fault, type Log, setLogLevel } from '@sightline/core'
import type { TSchema } from 'typebox'
import { createAgent } from './agent.ts'
import { CommandDesk, SavedCommands } from './commands/command-desk.ts'
import { commandHandlers } from './commands/handlers.ts'
import type { LogRing } from './commands/log-ring.ts'
import { CredentialKeeper } from './enroll/credential-keeper.ts'
import { ConfigChange, START_MS } from './fleet/config-change.ts'
import { ConfigShadow, SavedConfig } from './fleet/config-shadow.ts'
import { Lives } from './fleet/lives.ts'
import { ModelUpdate } from './fleet/model-update.ts'
import type { DeviceSettings } from './fleet/remote-settings.ts'
import { ModelSlots, SavedModel } from './model-slots.ts'
import type { IncidentStep } from './moderation/incidents.ts'
import { SavedDocument } from './saved-document.ts'

export interface Device {
  /** In force: the device's own, under what its hub desires. */
  readonly settings: DeviceSettings
  /** False when it was stopped meanwhile. */
  start(): Promise<boolean>
  stop(): Promise<void>
}

export interface DeviceOptions {
  /** The device's own. */
  readonly settings: DeviceSettings
  readonly log: Log
  /** Where `log` writes to. */
  readonly logs: LogRing
  readonly clock: Clock
  readonly version: string
  readonly onIncident?: (step: IncidentStep) => void
  /** Called where a crash is most awkward; for tests that crash there. */
  readonly failPoint?: FailPoint | undefined
}

/** Composition root of what outlives an agent: credential, configuration, commands, and which model it is. */
export async function createDevice(options: DeviceOptions): Promise<Device> {
  const { settings: own, log, logs, clock, version, onIncident, failPoint } = options
  const dataDir = resolve(own.dataDir)
  await mkdir(dataDir, { recursive: true })
  const saved = <T extends TSchema>(name: string, schema: T) =>
    new SavedDocument({ path: join(dataDir, name), schema, log })

  const credentials = await CredentialKeeper.open({ dataDir, log })
  const shadow = new ConfigShadow({ file: saved('config.json', SavedConfig), own, clock, log })
  const models = new ModelSlots({
    file: saved('model.json', SavedModel),
    dir: join(dataDir, 'models'),
    credential: () => credentials?.inUse,
    log,
  })
  const lives: Lives = new Lives({
    create: settings => {
      setLogLevel(log, settings.log.level)
      const { dir = settings.model.dir } = models
      const model = { ...settings.model, ...(dir === undefined ? {} : { dir }) }
      return createAgent({
        settings: { ...settings, model },
        log,
        clock,
        version,
        failPoint,
        ...(credentials === undefined ? {} : { trustedKeys: credentials.inUse.rulesKeys }),
        ...(onIncident === undefined ? {} : { onIncident }),
        fleet: {
          login: credentials && (() => credentials.login()),
          onUp: () => {
            void credentials?.accepted().catch(err => log.error({ err }, 'credential not settled'))
            change.tell()
            desk.flush()
          },
          onRefused: () => credentials?.refused(),
          onDesired: payload => void change.offer(payload),
          onCommand: payload => void desk.offer(payload),
          configVersion: () => shadow.version,
        },
      })
    },
    clock,
    log,
  })
  const update = new ModelUpdate({ models, shadow, lives, log })
  const change: ConfigChange = new ConfigChange({ shadow, lives, models, update, clock, log })
  const desk: CommandDesk = new CommandDesk({
    handlers: commandHandlers({ lives, update, logs, credentials, clock }),
    file: saved('commands.json', SavedCommands),
    send: payload => lives.agent.tell('reply', payload),
    clock,
    log,
  })
  const stopping = new AbortController()

  const begin = async () => {
    await update.prepare(shadow.settings, stopping.signal)
    // What has proven itself may take its time.
    const onTrial = shadow.onTrial || models.trial !== undefined
    await lives.begin(shadow.settings, onTrial ? START_MS : Number.POSITIVE_INFINITY)
  }
  return {
    get settings() {
      return shadow.settings
    },
    start: async () => {
      await shadow.load()
      const given = await models.load()
      const command = models.trial?.command ?? given?.command ?? null
      await desk.load(command)
      const rolledBack = (cause: unknown) => {
        if (command !== null)
          desk.finish(command, fault('MODEL_ROLLED_BACK', 'the agent did not start with it', { cause }))
      }
      if (given !== undefined) rolledBack(undefined)
      await lives.exclusively(async () => {
        try {
          await begin()
        } catch (error) {
          const modelOnTrial = models.trial !== undefined
          if (stopping.signal.aborted) return
          if (!shadow.onTrial && !modelOnTrial) throw error
          log.error({ err: error }, 'agent did not start with what is new; going back')
          await models.rollBack()
          if (modelOnTrial) rolledBack(error)
          if (shadow.onTrial) await shadow.reject(error)
          await begin()
        }
      })
      if (stopping.signal.aborted) return false
      change.confirmLater()
      if (models.trial === undefined) return true
      void update.resume().then(
        failure => command !== null && desk.finish(command, failure),
        err => log.error({ err }, 'model on trial not proven'),
      )
      return true
    },
    stop: async () => {
      stopping.abort(fault('COMMAND_INTERRUPTED', 'the agent was stopped'))
      change.stop()
      await desk.stop()
      // Not in turn: the change that is at work may wait for an engine.
      await lives.stop()
      await shadow.pause()
      await models.pause()
    },
  }
}
