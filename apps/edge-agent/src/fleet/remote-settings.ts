import {
  checkConfig,
  fault,
  faultLines,
  layered,
  redacted,
  type SchemaFault,
  schemaFaults,
} from '@sightline/core'
import { type TObject, type TSchema, Type } from 'typebox'
import { AgentSettings, checkAgentSettings } from '../settings.ts'

/** A device as it runs: its node name is known. */
export type DeviceSettings = AgentSettings & { readonly node: string }

const { cameras, thumbnails, thumbnailDetail, model, uplink, rules, log } = AgentSettings.properties

/**
 * What a hub may decide for a device: which cameras, how much goes over the line, which rules and model, how much is
 * logged. All else is the device's own: directories, broker and credential, disk limits, and every path to a program.
 */
export const RemoteSettings = part({
  cameras: Type.Array(partOf(cameras.items, { without: ['ffmpegPath'], required: ['name', 'source'] }), {
    maxItems: 256,
  }),
  thumbnails,
  thumbnailDetail,
  model: partOf(model, { without: ['dir'] }),
  uplink: partOf(uplink),
  rules: partOf(rules),
  log: partOf(log),
})

/**
 * The device's own settings with the hub's laid over them: mappings member by member, lists as a whole.
 * @throws CONFIG_INVALID with every fault by its path
 */
export function withRemote(own: DeviceSettings, remote: Readonly<Record<string, unknown>>): DeviceSettings {
  const faults = schemaFaults(RemoteSettings, remote)
  if (faults.length > 0) throw invalid(faults)
  const document = layered(own, remote)
  if (remote.cameras !== undefined) document.cameras = camerasOf(own, remote)
  const settings = checkAgentSettings(checkConfig(AgentSettings, document, 'the desired configuration'))
  return { ...settings, node: own.node }
}

/** The remote part of settings in force, for the hub to see: without secrets. */
export function reportedSettings(settings: AgentSettings): Record<string, unknown> {
  const keys = Object.keys(RemoteSettings.properties) as (keyof AgentSettings)[]
  return redacted(Object.fromEntries(keys.map(key => [key, settings[key]]))) as Record<string, unknown>
}

/** Which program reads a camera is for the device to say: that of its own camera of this name, or the usual one. */
function camerasOf(own: AgentSettings, remote: Readonly<Record<string, unknown>>): unknown[] {
  const programs = new Map(own.cameras.map(({ name, ffmpegPath }) => [name, ffmpegPath]))
  return (remote.cameras as { name: string }[]).map(camera => {
    const ffmpegPath = programs.get(camera.name)
    return ffmpegPath === undefined ? camera : { ...camera, ffmpegPath }
  })
}

function invalid(faults: SchemaFault[]) {
  return fault('CONFIG_INVALID', `not for a hub to set, or wrong:\n${faultLines(faults)}`, {
    details: { faults },
  })
}

/** Members that may be missing; nested objects likewise. Defaults come later, from the settings below. */
function partOf(
  schema: TObject,
  { without = [], required = [] }: { without?: readonly string[]; required?: readonly string[] } = {},
): TObject {
  const kept = Object.entries(schema.properties).filter(([key]) => !without.includes(key))
  return part(Object.fromEntries(kept), required)
}

function part(properties: Record<string, TSchema>, required: readonly string[] = []): TObject {
  const members = Object.entries(properties).map(([key, schema]): [string, TSchema] => {
    const nested = (schema as { properties?: unknown }).properties !== undefined
    const member = nested ? partOf(schema as TObject) : schema
    return [key, required.includes(key) ? member : Type.Optional(member)]
  })
  return Type.Object(Object.fromEntries(members), { additionalProperties: false })
}
