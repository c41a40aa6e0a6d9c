import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { conforms, DeviceCredential, fault, messageOf } from '@sightline/core'
import { PRIVATE, writeDurably } from '../durable-file.ts'
import type { BrokerLogin } from '../uplink/link.ts'

export function credentialPath(dataDir: string): string {
  return join(dataDir, 'credential.json')
}

/** The credential before the last rotation, until the new one has been let in. */
export function formerCredentialPath(dataDir: string): string {
  return join(dataDir, 'credential.former.json')
}

export function loginOf({ site, node, secret, ca }: DeviceCredential): BrokerLogin {
  return { username: `${site}~${node}`, password: secret, ...(ca === null ? {} : { ca }) }
}

/** Undefined when the device is not enrolled. @throws CREDENTIAL_DAMAGED */
export async function readCredential(path: string): Promise<DeviceCredential | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fault('CREDENTIAL_DAMAGED', `${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
  // The reason of a parser would quote the file.
  const damaged = () => fault('CREDENTIAL_DAMAGED', `${path} holds no credential`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw damaged()
  }
  if (!conforms(DeviceCredential, value)) throw damaged()
  return value
}

export async function writeCredential(path: string, credential: DeviceCredential): Promise<void> {
  await writeDurably(path, Buffer.from(`${JSON.stringify(credential, null, 2)}\n`), PRIVATE)
}

/** Keeps a new credential in place of what there was. */
export async function keepCredential(dataDir: string, credential: DeviceCredential): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  await rm(formerCredentialPath(dataDir), { force: true })
  await writeCredential(credentialPath(dataDir), credential)
}

/** To be asked before a token is spent. @throws CREDENTIAL_EXISTS when the device belongs to another hub */
export async function refuseOtherHub(dataDir: string, hub: URL): Promise<void> {
  const known = await readCredential(credentialPath(dataDir))
  if (known === undefined || new URL(known.hubUrl).origin === hub.origin) return
  throw fault(
    'CREDENTIAL_EXISTS',
    `${dataDir} holds the credential of ${known.site}/${known.node} at ${known.hubUrl}`,
  )
}

/** Forgets the credential; false when there was none. */
export async function forgetCredential(dataDir: string): Promise<boolean> {
  const path = credentialPath(dataDir)
  const there = await readFile(path).then(
    () => true,
    () => false,
  )
  await rm(formerCredentialPath(dataDir), { force: true })
  await rm(path, { force: true })
  return there
}
