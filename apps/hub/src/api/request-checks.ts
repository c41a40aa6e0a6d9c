import { fault } from '@sightline/core'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'

type AjvOptions = NonNullable<FastifyServerOptions['ajv']>
type Ajv = Parameters<NonNullable<AjvOptions['onCreate']>>[0]

/** How bodies, queries and parameters are checked against their schemas. */
export const REQUEST_CHECKS: AjvOptions = {
  customOptions: { removeAdditional: false },
  onCreate: ajv => {
    onlyTimesThatCanBeRead(ajv)
    numbersAsTheyAre(ajv)
  },
}

/**
 * The usual check of date-time also lets through what `Date.parse` cannot read, leap seconds and zones of hours alone
 * (`+01`): a time that is no number would match nothing, or stand in the store for ever.
 */
function onlyTimesThatCanBeRead(ajv: Ajv): void {
  const { validate } = ajv.formats['date-time'] as { validate: (text: string) => boolean }
  ajv.addFormat('date-time', (text: string) => validate(text) && Number.isFinite(Date.parse(text)))
}

/** Option of a list's schema: what is no number is refused, not turned into one. */
export const NUMBERS_ALONE = { 'x-numbers-alone': true } as const

/** Elsewhere null becomes 0, as a query string needs it; NaN of a vector is null in JSON, and would go unseen. */
function numbersAsTheyAre(ajv: Ajv): void {
  ajv.addKeyword({
    keyword: 'x-numbers-alone',
    type: 'array',
    before: 'items',
    validate: (_alone: true, list: readonly unknown[]) => list.every(item => typeof item === 'number'),
    error: { message: 'must hold numbers alone' },
  })
}

/** A body of another type than those that a route lists has no schema: nothing would check it. */
export function installBodyTypes(app: FastifyInstance): void {
  app.addHook('preValidation', async ({ routeOptions, headers }) => {
    const { content } = (routeOptions.schema?.body ?? {}) as { content?: Record<string, unknown> }
    if (content === undefined) return
    const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
    if (!Object.hasOwn(content, type))
      throw fault('API_BAD_REQUEST', `send a body of the type ${Object.keys(content).join(' or ')}`)
  })
}
