import type { FastifyReply, FastifyRequest } from 'fastify'

/** `__Host-`: browsers take it over TLS only, from this host alone, for all paths (RFC 6265bis, 4.1.3.2). */
const SECURE_NAME = '__Host-sightline'
const PLAIN_NAME = 'sightline'

/** The one cookie. Not sent along from other sites, and out of reach of scripts. */
export class SessionCookie {
  readonly #secure: boolean

  constructor({ secure }: { secure: boolean }) {
    this.#secure = secure
  }

  read(request: FastifyRequest): string | undefined {
    return request.cookies[this.#name]
  }

  set(reply: FastifyReply, secret: string, lifeMs: number): void {
    reply.setCookie(this.#name, secret, { ...this.#options, maxAge: Math.floor(lifeMs / 1000) })
  }

  clear(reply: FastifyReply): void {
    reply.clearCookie(this.#name, this.#options)
  }

  get #name(): string {
    return this.#secure ? SECURE_NAME : PLAIN_NAME
  }

  get #options() {
    return { path: '/', httpOnly: true, sameSite: 'strict', secure: this.#secure } as const
  }
}
