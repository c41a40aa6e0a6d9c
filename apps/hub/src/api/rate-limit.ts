import fastifyRateLimit from '@fastify/rate-limit'
import { fault } from '@sightline/core'
import type { FastifyInstance } from 'fastify'

/** Addresses whose requests are counted; beyond it the oldest is forgotten. */
const MAX_ADDRESSES = 10_000

/** Limits by address, for the routes that ask for one in `config.rateLimit`. */
export async function installRateLimit(app: FastifyInstance): Promise<void> {
  await app.register(fastifyRateLimit, {
    global: false,
    cache: MAX_ADDRESSES,
    errorResponseBuilder: (_request, { max, after }) =>
      fault('API_RATE_LIMITED', `more than ${max} requests; again after ${after}`),
  })
}
