import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

export interface LogOptions {
  /** Name of the process: `agent`, `hub`. */
  readonly name: string
  readonly level: (typeof LOG_LEVELS)[number]
  readonly destination?: DestinationStream
}

/** Keys whose values never reach a log line, wherever they stand up to three levels deep. */
const SECRET_KEYS = [
  'password',
  'token',
  'secret',
  'authorization',
  'cookie',
  'privateKey',
  'apiKey',
  'credential',
]

/** Children by root: pino fixes a child's level when it is made. Weakly held, for they come and go with cameras. */
const families = new WeakMap<Log, Set<WeakRef<Log>>>()

/** Changes the level of a log that `createLog` made, and of all its children. */
export function setLogLevel(log: Log, level: LogOptions['level']): void {
  log.level = level
  const family = families.get(log)
  for (const ref of family ?? []) {
    const child = ref.deref()
    if (child === undefined) family?.delete(ref)
    else child.level = level
  }
}

/** JSON lines on stderr, so that stdout stays free for what a command prints. */
export function createLog({ name, level, destination }: LogOptions): Log {
  const paths = SECRET_KEYS.flatMap(key => [key, `*.${key}`, `*.*.${key}`])
  const family = new Set<WeakRef<Log>>()
  const log = pino(
    {
      name,
      level,
      onChild: child => {
        for (const ref of family) if (ref.deref() === undefined) family.delete(ref)
        family.add(new WeakRef(child))
      },
      redact: { paths, censor: '[redacted]' },
      // The last word, over the whole line: what a library put into a message, and keys that nobody thought of.
      hooks: { streamWrite: redactUrl },
      serializers: { err: serializeError, source: value => redactUrl(String(value)) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  )
  families.set(log, family)
  return log
}

/** Query parameters by which cameras take passwords. */
const SECRET_PARAMETER = /([?&;][\w-]*(?:pass|pwd|secret|token|auth|key|sig)[\w-]*=)[^&;#\s"\\]+/gi
/** Secrets that say what they are. */
const MARKED_SECRET = /\b(slt1\.|whsec_|Bearer |Basic )[\w+/=.~-]{8,}/g

/** Text without credentials: `rtsp://user:secret@host/…` -> `rtsp://…@host/…`, `?pwd=secret` -> `?pwd=…`. */
export function redactUrl(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s"]+@/gi, '$1…@')
    .replace(SECRET_PARAMETER, '$1…')
    .replace(MARKED_SECRET, '$1…')
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, cause } = error as Error & { code?: unknown }
  return {
    message: redactUrl(error.message),
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined ? {} : { cause: serializeError(cause) }),
    stack: error.stack === undefined ? undefined : redactUrl(error.stack),
  }
}
