import {
  blurredThumbnail,
  type Clock,
  type COMMANDS,
  fault,
  NAME_PATTERN,
  redacted,
  thumbnail,
} from '@sightline/core'
import { MODEL_NAME } from '@sightline/models/registry/schema.js'
import { Type } from 'typebox'
import { examine } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/finding.ts'
import type { CredentialKeeper } from '../enroll/credential-keeper.ts'
import { rotatedCredential } from '../enroll/enroll.ts'
import type { Lives } from '../fleet/lives.ts'
import type { ModelUpdate } from '../fleet/model-update.ts'
import { effectiveCameras } from '../settings.ts'
import { type CommandHandler, handler } from './command-desk.ts'
import type { LogRing } from './log-ring.ts'

const MAX_RESULT_BYTES = 240 * 1024
/** Base64 makes four bytes of three. */
const MAX_JPEG_BYTES = (MAX_RESULT_BYTES / 4) * 3 - 1024
const MIN_SNAPSHOT_PX = 160

export interface CommandParts {
  readonly lives: Lives
  readonly update: ModelUpdate
  readonly logs: LogRing
  /** Undefined when the device is not enrolled. */
  readonly credentials: CredentialKeeper | undefined
  readonly clock: Clock
}

const strict = { additionalProperties: false } as const
const Camera = Type.String({ pattern: NAME_PATTERN })

/** What a hub may have a device do. */
export function commandHandlers(parts: CommandParts): Record<(typeof COMMANDS)[number], CommandHandler> {
  const { lives, update, logs, credentials, clock } = parts
  return {
    'restart-camera': handler({
      args: Type.Object({ camera: Camera }, strict),
      timeoutMs: 60_000,
      run: ({ camera }) => lives.agent.cameras.restart(camera),
    }),
    snapshot: handler({
      args: Type.Object(
        {
          camera: Camera,
          px: Type.Optional(
            Type.Integer({ minimum: MIN_SNAPSHOT_PX, maximum: 1920, description: 'Longer side.' }),
          ),
        },
        strict,
      ),
      timeoutMs: 60_000,
      run: async ({ camera, px = 1024 }, { signal }) => {
        const policy = effectiveCameras(lives.settings!).find(({ name }) => name === camera)
        if (policy?.thumbnails === 'none')
          throw fault('PICTURE_WITHHELD', `${camera} sends no pictures: its thumbnails are none`)
        const picture = policy?.thumbnailDetail === 'blurred' ? blurredThumbnail : thumbnail
        const { image, capturedAt } = await lives.agent.cameras.nextFrame(camera, signal)
        for (let side = px; ; side = Math.max(MIN_SNAPSHOT_PX, Math.floor(side * 0.7))) {
          const jpeg = await picture(image, side)
          if (jpeg.byteLength <= MAX_JPEG_BYTES || side === MIN_SNAPSHOT_PX)
            return { camera, capturedAt, jpeg: jpeg.toString('base64') }
        }
      },
    }),
    doctor: handler({
      args: Type.Object({}, strict),
      timeoutMs: 300_000,
      run: async () => {
        const { agent, settings } = lives
        const running = { cameras: agent.cameras.statuses(), online: agent.online }
        const findings: Finding[] = []
        for await (const finding of examine({ settings: settings!, clock, running })) findings.push(finding)
        return { ok: !findings.some(({ mark }) => mark === 'fail'), findings: redacted(findings) }
      },
    }),
    'collect-logs': handler({
      args: Type.Object({ lines: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })) }, strict),
      timeoutMs: 10_000,
      run: async ({ lines = 500 }) => ({ lines: logs.tail(lines, MAX_RESULT_BYTES) }),
    }),
    'rotate-credential': handler({
      args: Type.Object({}, strict),
      timeoutMs: 120_000,
      run: async () => {
        if (credentials === undefined) throw fault('CREDENTIAL_MISSING', 'this device is not enrolled')
        if (credentials.rotating) throw fault('COMMAND_BUSY', 'the credential is being changed')
        await credentials.rotate(() => rotatedCredential(credentials.inUse))
        const settled = credentials.settled()
        lives.agent.reconnect()
        if (!(await settled)) throw fault('CREDENTIAL_REFUSED', 'the broker does not take the new credential')
      },
    }),
    'update-model': handler({
      args: Type.Object(
        {
          model: Type.Union([Type.String({ pattern: MODEL_NAME }), Type.Null()], {
            description: "Name in the hub's model store; null: the device's own model again.",
          }),
        },
        strict,
      ),
      timeoutMs: 3_600_000,
      run: ({ model }, context) => update.update(model, context),
    }),
  }
}
