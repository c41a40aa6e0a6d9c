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
      serializers: { err: serializeError, source: value => redactUrl(String(value)) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  )
  families.set(log, family)
  return log
}

/** `rtsp://user:secret@host/…` -> `rtsp://…@host/…`; other text is returned as it is. */
export function redactUrl(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s]+@/gi, '$1…@')
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
