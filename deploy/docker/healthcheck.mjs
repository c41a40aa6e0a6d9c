// Exit code 0 when SIGHTLINE_HEALTH_URL answers 200. It asks this container itself, so its certificate proves nothing.
import { get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'

const url = process.env.SIGHTLINE_HEALTH_URL ?? 'http://127.0.0.1:8080/healthz'
const get = url.startsWith('https:') ? getSecure : getPlain
const request = get(url, { rejectUnauthorized: false, timeout: 4000 }, ({ statusCode }) => {
  process.exit(statusCode === 200 ? 0 : 1)
})
request.on('timeout', () => process.exit(1))
request.on('error', () => process.exit(1))
