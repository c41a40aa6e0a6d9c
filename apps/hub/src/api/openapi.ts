import type { SwaggerOptions } from '@fastify/swagger'
import { ERRORS, type ErrorCode } from '@sightline/core'
import type { FastifyContextConfig, FastifySchema } from 'fastify'
import { Type } from 'typebox'

/** Of every answer that is not a success. Registered with the application, so that the document has it once. */
export const ErrorShape = Type.Object(
  {
    error: Type.Object({
      code: Type.Enum(Object.keys(ERRORS) as ErrorCode[], {
        description: 'Stable; docs/errors.md explains it.',
      }),
      message: Type.String({ description: 'What happened.' }),
      remedy: Type.String({ description: 'What to do about it.' }),
    }),
  },
  { $id: 'Error' },
)

/** A file as an answer, in the document alone: bytes are sent as they are. */
export const Jpeg = Type.Unsafe<Buffer>({ type: 'string', format: 'binary', description: 'A JPEG file.' })

const KEY = { apiKey: [] }
const SIGN_IN = { session: [] }
const DEVICE = { device: [] }

/** The schemas of the routes, and what these do not say: whom a route is for, and what its failures look like. */
export function openapiOptions(version: string): SwaggerOptions {
  return {
    openapi: {
      // The first that takes JSON Schema as it is.
      openapi: '3.1.0',
      info: { title: 'Sightline hub', version },
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'An API key.' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: 'sightline',
            description: 'A sign-in on the dashboard; over TLS the cookie is __Host-sightline.',
          },
          device: { type: 'http', scheme: 'basic', description: 'The credential of an enrolled device.' },
        },
      },
    },
    refResolver: { buildLocalReference: ({ $id }, _uri, _fragment, i) => String($id ?? `def-${i}`) },
    transform: ({ schema, url, route }) => ({ url, schema: documented(schema ?? {}, route.config ?? {}) }),
  }
}

function documented(schema: FastifySchema, { role, limited = false }: FastifyContextConfig): FastifySchema {
  const { body, querystring, params, response = { 200: { description: 'Done.' } } } = schema
  const codes: ErrorCode[] = [
    ...((body ?? querystring ?? params) ? (['API_BAD_REQUEST'] as const) : []),
    ...(role === 'public' ? [] : (['SIGN_IN_REQUIRED', 'API_FORBIDDEN'] as const)),
    ...(params ? (['API_NOT_FOUND'] as const) : []),
  ]
  const failures = codes.map(code => [ERRORS[code].status, failure(code)])
  const audience = { 'x-role': role, 'x-limited-viewers': limited }
  return {
    ...schema,
    ...audience,
    ...(body === undefined ? {} : { body: withFiles(body) }),
    security: role === 'public' ? [] : role === 'device' ? [DEVICE, KEY, SIGN_IN] : [KEY, SIGN_IN],
    response: {
      ...(response as object),
      ...Object.fromEntries(failures),
      default: failure('Any other failure.'),
    },
  }
}

function failure(description: string) {
  return { description, content: { 'application/json': { schema: { $ref: 'Error#' } } } }
}

interface FormBody {
  readonly content?: Readonly<Record<string, { readonly schema: { readonly properties: object } }>>
}

/** Files of a form are bytes when their schema sees them, hence of no type there. */
function withFiles(body: unknown): unknown {
  const { content } = body as FormBody
  const form = content?.['multipart/form-data']
  if (form === undefined) return body
  const properties = Object.entries(form.schema.properties).map(([name, property]) => [
    name,
    name === 'image' ? { ...property, type: 'string', format: 'binary' } : property,
  ])
  const schema = { ...form.schema, properties: Object.fromEntries(properties) }
  return { content: { ...content, 'multipart/form-data': { schema } } }
}
