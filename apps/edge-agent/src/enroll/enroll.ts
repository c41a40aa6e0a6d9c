import {
  conforms,
  DeviceCredential,
  type EnrollRequest,
  fault,
  faultLines,
  parseEnrollToken,
  schemaFaults,
} from '@sightline/core'
import { keepCredential, refuseOtherHub } from './credential.ts'
import { fetchAs, fetchWith, hubAddress, hubPath, postJson } from './hub-client.ts'
import { pinnedCa } from './pinned-ca.ts'

export interface Enrolment {
  readonly hub: string
  /** As the hub printed it. */
  readonly token: string
  readonly dataDir: string
  /** Replace the credential of another hub or device. */
  readonly force: boolean
  readonly agent: string
}

/**
 * Takes a one-time token to the hub and keeps the credential that it gives. The token is sent to no server whose
 * authority it does not name; when it names none, the system's authorities decide.
 * @throws ENROLL_*, HUB_UNREACHABLE, CREDENTIAL_EXISTS, CONFIG_INVALID
 */
export async function enroll({ hub, token, dataDir, force, agent }: Enrolment): Promise<DeviceCredential> {
  const url = hubAddress(hub)
  const parsed = parseEnrollToken(token)
  if (parsed === undefined) throw fault('ENROLL_TOKEN_INVALID', 'this is not an enrolment token')
  if (!force) await refuseOtherHub(dataDir, url)
  const secured = url.protocol === 'https:' && parsed.caSha256 !== undefined
  const ca = secured ? await pinnedCa(url, parsed.caSha256!) : null
  const answer = await postJson(
    {
      url: hubPath(url, 'api/v1/enroll'),
      body: { token: token.trim(), agent } satisfies EnrollRequest,
      refusal: 'ENROLL_REFUSED',
    },
    fetchWith(ca),
  )
  const credential = checkedCredential(answer)
  // What was recognised by its hash is what the device trusts from now on, whatever else the answer says.
  const kept = ca === null ? credential : { ...credential, ca }
  await keepCredential(dataDir, kept)
  return kept
}

/** Asks the hub for a new secret in place of the one in use. @throws CREDENTIAL_REFUSED, HUB_UNREACHABLE, PAYLOAD_INVALID */
export async function rotatedCredential(credential: DeviceCredential): Promise<DeviceCredential> {
  const url = hubPath(credential.hubUrl, 'api/v1/device/credential')
  const request = { url, body: {}, refusal: 'CREDENTIAL_REFUSED' } as const
  const next = checkedCredential(await postJson(request, fetchAs(credential)))
  if (next.site !== credential.site || next.node !== credential.node)
    throw fault('PAYLOAD_INVALID', `the hub gave the credential of ${next.site}/${next.node}`)
  return next
}

function checkedCredential(answer: unknown): DeviceCredential {
  if (conforms(DeviceCredential, answer)) return answer
  // By path alone: values may be secrets.
  const paths = faultLines(
    schemaFaults(DeviceCredential, answer).map(({ path }) => ({ path, message: 'wrong' })),
  )
  throw fault('PAYLOAD_INVALID', `the hub answered with no credential:\n${paths}`)
}
