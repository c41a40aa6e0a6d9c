/**
 * Every failure a user can meet has a stable code here. The table is the single source: docs/errors.md is checked
 * against it, HTTP answers take their status from it, and the exit code of a CLI follows from it.
 */
export interface ErrorSpec {
  /** HTTP status when the failure reaches an API client. */
  readonly status: number
  /** What the reader should do, as one imperative sentence. */
  readonly remedy: string
}

const spec = (status: number, remedy: string): ErrorSpec => ({ status, remedy })

export const ERRORS = {
  ACTION_FAILED: spec(
    502,
    'Check the action of that name in the settings of the device, and what it calls; docs/moderation.md describes actions.',
  ),
  API_BAD_REQUEST: spec(
    400,
    'Correct the request as the message says; the OpenAPI document at /api/v1/openapi.json has the schema.',
  ),
  API_BUSY: spec(503, 'Try again later, or raise the limit named in the message.'),
  API_FORBIDDEN: spec(
    403,
    'Ask an admin for the role that the message names, or sign in as somebody who has it.',
  ),
  API_HOST_REFUSED: spec(
    403,
    'Open the hub by the address that it listens on, for example http://127.0.0.1:8080.',
  ),
  API_NOT_FOUND: spec(404, 'Check the id or the path.'),
  API_RATE_LIMITED: spec(429, 'Wait a minute, or as long as a retry-after header says, then try again.'),
  API_TOO_LARGE: spec(413, 'Send less at once; http.maxBodyBytes is the limit.'),
  BROKER_UNREACHABLE: spec(
    503,
    'Check broker.url and that the broker runs; meanwhile everything is kept in the outbox.',
  ),
  CAMERA_BAD_SOURCE: spec(
    400,
    'Use folder:DIR, http(s)://…, rtsp://…, a video file or /dev/videoN as the camera source.',
  ),
  CAMERA_FAILED: spec(
    503,
    'Check that the camera is powered and reachable; the agent keeps retrying with back-off.',
  ),
  CAMERA_UNKNOWN: spec(404, 'Name a camera that the device has; its reported configuration lists them.'),
  CERTS_EXIST: spec(
    409,
    'Renew the server certificate with certs renew, which keeps the authority that devices know.',
  ),
  COMMAND_BUSY: spec(503, 'Wait until the commands before it are done, then send it again.'),
  COMMAND_EXPIRED: spec(409, "Send it again; if the device was online, compare its clock with the hub's."),
  COMMAND_INTERRUPTED: spec(
    500,
    'Look at the state of the device, then send the command again if it is still needed.',
  ),
  COMMAND_TIMEOUT: spec(504, 'Look at the log of the device (collect-logs), then send the command again.'),
  COMMAND_UNKNOWN: spec(400, 'Update the agent, or use one of the commands of docs/fleet.md.'),
  CONFIG_CONFLICT: spec(409, 'Read the configuration again and repeat the change on what it is now.'),
  CONFIG_INVALID: spec(
    400,
    'Correct every listed path in the configuration; docs/configuration.md describes each setting.',
  ),
  CONFIG_ROLLED_BACK: spec(
    500,
    'The device runs its last good configuration; correct the new one as the message says.',
  ),
  CONFIG_UNREADABLE: spec(400, 'Check that the configuration file exists, is readable and is valid YAML.'),
  CREDENTIAL_DAMAGED: spec(500, 'Enrol the device again: sightline-agent enroll --force with a new token.'),
  CREDENTIAL_EXISTS: spec(
    409,
    'Say --force to replace the credential of the other hub or device, or run sightline-agent unenroll first.',
  ),
  CREDENTIAL_MISSING: spec(404, 'Enrol the device first: sightline-agent enroll --hub URL --token T.'),
  CREDENTIAL_REFUSED: spec(
    401,
    'Check on the hub whether the device was revoked, and enrol it again; records wait in the outbox meanwhile.',
  ),
  CROSS_SITE_REFUSED: spec(
    403,
    'Use the dashboard at the address of the hub itself; programs use an API key instead of a cookie.',
  ),
  DEVICE_UNKNOWN: spec(404, 'List the enrolled devices with sightline-hub devices list.'),
  DISK_FULL: spec(507, 'Free space on the disk that the message names, or use another directory.'),
  ENROLL_CA_MISMATCH: spec(
    502,
    'Do not go on: somebody else may be answering. Check the address, or make a new token on the hub.',
  ),
  ENROLL_REFUSED: spec(401, 'Make a new token on the hub: tokens are for one device, once, and expire.'),
  ENROLL_TOKEN_INVALID: spec(400, 'Copy the whole token as the hub printed it, from slt1 on.'),
  EVAL_DATA_MISSING: spec(404, 'Point --data or SIGHTLINE_TEST_DATA at the folder that holds photos/.'),
  FFMPEG_MISSING: spec(
    503,
    'Install ffmpeg (Debian, Ubuntu, JetPack: apt-get install ffmpeg) or set camera.ffmpegPath.',
  ),
  HUB_UNREACHABLE: spec(503, 'Check that the hub runs and that the address is right.'),
  IMAGE_INVALID: spec(422, 'Send a complete JPEG, PNG or WebP image.'),
  IMAGE_TOO_LARGE: spec(413, 'Scale the image down; the limit in pixels stands in the message.'),
  INDEX_DAMAGED: spec(
    500,
    'Nothing to do: the index is rebuilt from the store. If it recurs, check the disk.',
  ),
  INDEX_UNAVAILABLE: spec(
    503,
    'Check that PostgreSQL runs, is reachable by index.postgres.url and has pgvector 0.7 or later (docs/scale-out.md); the hub keeps storing and catches up by itself.',
  ),
  INTERNAL: spec(500, 'Report it with the lines of the log around that time.'),
  LAST_ADMIN: spec(409, 'Make somebody else an admin first.'),
  MODEL_BUSY: spec(503, 'Try again shortly: more work is waiting for the model than its queue may hold.'),
  MODEL_DIM_MISMATCH: spec(
    409,
    'Use vectors of the model that the hub runs; see the fingerprint in the message.',
  ),
  MODEL_FAILED: spec(503, 'Try again; if it recurs, check memory and the execution provider.'),
  MODEL_FILE_CORRUPT: spec(500, 'Restore the model file: its sha256 differs from the manifest.'),
  MODEL_HASH_MISMATCH: spec(
    502,
    'The source does not have the content that was agreed on: check the mirror; after an announced change pull with --repin.',
  ),
  MODEL_INVALID: spec(500, 'Correct the manifest as listed; docs/models.md describes each field.'),
  MODEL_MISSING: spec(500, 'Point model.dir at a directory with manifest.json and the files that it names.'),
  MODEL_OUTPUT_INVALID: spec(
    500,
    'The tower returned NaN or a wrong shape: check the execution provider and the model file.',
  ),
  MODEL_PULL_BUSY: spec(409, 'Wait until the other pull of this model has ended.'),
  MODEL_PULL_FAILED: spec(
    502,
    'Check the network, the proxy and the mirror, then pull again: what was fetched is taken up.',
  ),
  MODEL_REGISTRY_INVALID: spec(
    400,
    'Correct the registry file as listed; docs/model-registry.md describes it.',
  ),
  MODEL_ROLLED_BACK: spec(500, 'The device runs its former model; check the new one as the message says.'),
  MODEL_SOURCE_REFUSED: spec(400, 'Use an https source, or name a trusted http mirror with --mirror.'),
  MODEL_STORE_FAILED: spec(500, 'Check that the model store exists, is writable and undamaged.'),
  MODEL_UNKNOWN: spec(404, 'Choose a model of `sightline-models list`, or add one with --registry FILE.'),
  NOT_READY: spec(503, 'Wait: the hub is still loading.'),
  PASSWORD_WEAK: spec(400, 'Choose a longer password; a few words that nobody puts together will do.'),
  PAYLOAD_INVALID: spec(
    400,
    'The sender speaks another protocol version or is broken; the payload was quarantined.',
  ),
  PICTURE_WITHHELD: spec(
    403,
    'Nothing, if no picture of this camera is to be seen; otherwise change `thumbnails` of the camera, of the device or of the site.',
  ),
  PORT_IN_USE: spec(
    500,
    'Stop the other process or choose another port (SIGHTLINE_HTTP_PORT, SIGHTLINE_MQTT_PORT, SIGHTLINE_AGENT_HTTP_PORT).',
  ),
  PROVIDER_UNAVAILABLE: spec(
    503,
    'Install what the message names, or set model.provider to auto; docs/providers.md says what each one needs.',
  ),
  PROVIDER_UNTRUSTED: spec(
    503,
    'Update the driver or use another model.provider: this one gives wrong embeddings; sightline-agent doctor shows them all.',
  ),
  QUANTISE_ALREADY: spec(409, 'Start from the float32 export: quantising twice only loses accuracy.'),
  QUANTISE_EXTERNAL_DATA: spec(
    422,
    'Keep the weight files beside the .onnx file, under the names that it records.',
  ),
  QUANTISE_INPUTS_UNKNOWN: spec(
    422,
    'Quantise a tower with one picture input [batch, 3, height, width] or with token ids; say --mode dynamic without samples for others.',
  ),
  QUANTISE_NOTHING: spec(
    422,
    'Nothing to do: the model has no Conv, MatMul, Gemm or embedding table with float32 weights.',
  ),
  QUANTISE_NOT_ONNX: spec(422, 'Name a readable ONNX file that holds a graph.'),
  QUANTISE_NO_SAMPLES: spec(
    422,
    'Give pictures with --calibrate DIR (JPEG, PNG, WebP) or sentences with --texts FILE.',
  ),
  QUANTISE_OPSET: spec(422, 'Export the model again at opset 13 or later.'),
  QUANTISE_OUTPUT: spec(500, 'Check that the output folder exists, is writable and has space.'),
  QUANTISE_TARGET_UNREACHABLE: spec(
    422,
    'Lower --min-cosine, give the search more time (--search-seconds) or try the other --mode.',
  ),
  QUANTISE_UNSUPPORTED: spec(422, 'Export the model in float32 with standard ONNX operators.'),
  RULES_CACHE_DAMAGED: spec(
    500,
    'Nothing to do: the hub sends its rules again. If it recurs, check the disk of the device.',
  ),
  RULES_CONFLICT: spec(409, 'Read the rules again and repeat the change on what they are now.'),
  RULES_EXAMPLES_FULL: spec(507, 'Remove examples from rules that no longer need them, then upload again.'),
  RULES_INVALID: spec(422, 'Correct the rule as the message says.'),
  RULES_KEY_INVALID: spec(
    500,
    'Restore keys/rules-signing.pem of the data directory from a backup; without one remove it, and let every device enrol again.',
  ),
  RULES_MODEL_MISSING: spec(
    409,
    "Pull the model into the hub's model store as the message says; its devices get their rules within a minute.",
  ),
  RULES_SIGNATURE_INVALID: spec(
    422,
    'If the hub was set up anew, enrol the device again; a device without enrolment trusts the next signer when rules/signer.json in its data directory is deleted and the agent restarted. Otherwise find out who publishes rules on this broker.',
  ),
  RULES_TOO_LARGE: spec(413, 'Shorten or split the rules: a document may have 8 MiB.'),
  SETUP_REFUSED: spec(
    401,
    'Start the hub again for a new link, or run sightline-hub users add NAME --role admin on its machine.',
  ),
  SIGN_IN_REFUSED: spec(
    401,
    'Try again; a forgotten password is replaced with sightline-hub users password NAME on the machine of the hub.',
  ),
  SIGN_IN_REQUIRED: spec(
    401,
    'Sign in, or send an API key in the header authorization: Bearer slk_…; sightline-hub keys add makes one.',
  ),
  SNAPSHOT_DAMAGED: spec(422, 'Use another snapshot: what the message names is missing or was altered.'),
  SNAPSHOT_REFUSED: spec(
    409,
    'Do what the message asks: stop the hub, or name an empty directory; --force replaces what a restore finds.',
  ),
  STORE_FAILED: spec(503, 'Check free disk space and permissions of the data directory.'),
  TAG_LIMIT: spec(
    409,
    'Take away tags that nobody needs; what belongs to tens of thousands of frames is better a site or a camera.',
  ),
  TEXT_INVALID: spec(422, 'Send at least one non-empty text within the length limit.'),
  TLS_INVALID: spec(
    500,
    'Correct the files as the message says: PEM, a certificate with its chain and the private key that belongs to it.',
  ),
  TLS_MISSING: spec(
    500,
    'Run sightline-hub certs init, or name certificates in tls.certFile and tls.keyFile; behind a proxy that does TLS set tls.terminated: true.',
  ),
  TOPIC_REFUSED: spec(
    403,
    'A device publishes under its own node and reads what is meant for it; docs/security.md lists the topics.',
  ),
  URL_NO_PICTURE: spec(
    422,
    'Give the address of the picture itself, a JPEG, PNG or WebP file, not of a page that shows it; searchByUrl.maxBytes is the limit.',
  ),
  URL_REFUSED: spec(
    403,
    'Use an http or https address on the public internet, or save the picture and search by the file; an admin can open a network with searchByUrl.allow.',
  ),
  URL_SEARCH_OFF: spec(
    403,
    'Save the picture and search by the file, or have an admin set searchByUrl.enabled.',
  ),
  URL_UNREACHABLE: spec(
    502,
    'Open the address in a browser; if it works there, save the picture and search by the file.',
  ),
  USER_EXISTS: spec(409, 'Choose another name, or change that user.'),
  USER_UNKNOWN: spec(404, 'List the users with sightline-hub users list.'),
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS

/** A failure with a stable code. `message` says what happened, `remedy` what to do, `cause` carries the original. */
export class SightlineError extends Error {
  override readonly name = 'SightlineError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }

  get remedy(): string {
    return ERRORS[this.code].remedy
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}

export interface FaultOptions {
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>>
}

/** Shorthand: `throw fault('IMAGE_INVALID', 'not a JPEG, PNG or WebP', { cause })`. */
export function fault(code: ErrorCode, message: string, options?: FaultOptions): SightlineError {
  return new SightlineError(code, message, options)
}

export function isFault(error: unknown, code?: ErrorCode): error is SightlineError {
  return error instanceof SightlineError && (code === undefined || error.code === code)
}

/** Text of any thrown value, for logs and for messages that quote a cause. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Any thrown value as a command prints it: what happened, and what to do. */
export function faultText(error: unknown): string {
  const known = isFault(error) ? error : fault('INTERNAL', messageOf(error))
  return `${known.code}: ${known.message}\n→ ${known.remedy}`
}
