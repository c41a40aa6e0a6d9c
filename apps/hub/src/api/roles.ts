import type { FastifyInstance } from 'fastify'

/**
 * Whom a route is for. `viewer` < `operator` < `admin`; `device`: an enrolled device by its own credential, and whoever
 * may operate; `public`: anybody, without a name.
 */
export const ROUTE_ROLES = ['public', 'device', 'viewer', 'operator', 'admin'] as const
export type RouteRole = (typeof ROUTE_ROLES)[number]

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route has one; a test walks the route table. */
    role?: RouteRole
  }
}

export interface ListedRoute {
  readonly method: string
  readonly url: string
  readonly role: RouteRole | undefined
}

/** Lists what is registered from here on. */
export function listRoutes(app: FastifyInstance): ListedRoute[] {
  const routes: ListedRoute[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, role: config?.role })
  })
  return routes
}
