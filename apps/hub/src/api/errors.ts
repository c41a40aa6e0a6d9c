import { ERRORS, type ErrorCode, fault, isFault, type Log, messageOf } from '@sightline/core'
import type { FastifyError, FastifyInstance } from 'fastify'

/** Faults that fastify raises before a handler runs, by its own code. */
const FRAMEWORK_FAULTS: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'API_TOO_LARGE',
  FST_REQ_FILE_TOO_LARGE: 'API_TOO_LARGE',
  FST_PARTS_LIMIT: 'API_TOO_LARGE',
  FST_FILES_LIMIT: 'API_TOO_LARGE',
  FST_FIELDS_LIMIT: 'API_TOO_LARGE',
}

/** Every answer that is not a success has this body: `{ error: { code, message, remedy } }`. */
export function installErrorHandling(app: FastifyInstance, log: Log): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const known = asFault(error)
    if (known.status >= 500)
      log.error({ err: error, method: request.method, url: request.url }, 'request failed')
    return reply.status(known.status).send(errorBody(known.code, known.message))
  })
  app.setNotFoundHandler((request, reply) =>
    reply
      .status(404)
      .send(errorBody('API_NOT_FOUND', `there is no ${request.method} ${request.url.split('?')[0]}`)),
  )
}

export function errorBody(code: ErrorCode, message: string) {
  return { error: { code, message, remedy: ERRORS[code].remedy } }
}

function asFault(error: FastifyError) {
  if (isFault(error)) return error
  const known = FRAMEWORK_FAULTS[error.code]
  if (known !== undefined) return fault(known, error.message, { cause: error })
  if (error.validation !== undefined || (error.statusCode !== undefined && error.statusCode < 500)) {
    return fault('API_BAD_REQUEST', messageOf(error) + detailOf(error), { cause: error })
  }
  // The cause is logged; a stranger learns nothing of it.
  return fault('INTERNAL', 'an unexpected failure', { cause: error })
}

/** What the message of a schema's fault leaves out: which property is not known, which values are. */
function detailOf({ validation }: FastifyError): string {
  const { additionalProperty, allowedValues } = validation?.[0]?.params ?? {}
  if (typeof additionalProperty === 'string') return `: ${additionalProperty}`
  return Array.isArray(allowedValues) ? `: ${allowedValues.join(', ')}` : ''
}
