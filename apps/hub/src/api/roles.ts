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
    /** Whether viewers who are limited to some sites or cameras may use it: it shows them no more than these. */
    limited?: boolean
  }
}

export interface ListedRoute {
  readonly method: string
  readonly url: string
  readonly role: RouteRole | undefined
  /** Also for limited viewers. */
  readonly limited: boolean
}

/** Lists what is registered from here on, complete once the application is ready. */
export function listRoutes(app: FastifyInstance): ListedRoute[] {
  const routes: ListedRoute[] = []
  app.addHook('onRoute', route => {
    for (const method of [route.method].flat()) {
      routes.push({
        method,
        url: route.url,
        // Read late: a plugin's own hook may say it after this one.
        get role() {
          return route.config?.role
        },
        get limited() {
          return route.config?.limited ?? false
        },
      })
    }
  })
  return routes
}
