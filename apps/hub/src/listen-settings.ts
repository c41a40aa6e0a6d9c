import { Type } from 'typebox'

/** Settings that every listener has. */
export const Port = Type.Integer({ minimum: 0, maximum: 65535, description: '0: any free port.' })
export const Host = Type.String({
  minLength: 1,
  default: '127.0.0.1',
  description:
    'Address to listen on. Beyond loopback it speaks TLS only (see tls), unless tls.terminated is set.',
})
