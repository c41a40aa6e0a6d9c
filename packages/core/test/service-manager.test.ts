import { createLog } from '@sightline/core'
import { ServiceManager } from '@sightline/core/service-manager.js'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

const log = createLog({ name: 'test', level: 'silent' })

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function manager(env: Record<string, string>, fails = false) {
  const told: string[] = []
  const notify = async (state: string) => {
    told.push(state)
    if (fails) throw new TypeError('no systemd-notify')
  }
  return { told, manager: new ServiceManager({ env, log, notify }) }
}

it('says nothing when nobody listens', async () => {
  const { told, manager: quiet } = manager({ WATCHDOG_USEC: '1000000' })
  await quiet.ready()
  await quiet.stopping()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(told).toEqual([])
})

it('is heard thrice in every watchdog period, also when a notification fails', async () => {
  const { told, manager: talking } = manager({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '60000000' }, true)
  await talking.ready()
  await vi.advanceTimersByTimeAsync(60_000)
  await talking.stopping()
  expect(told).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1', 'STOPPING=1'])
  talking.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(told).toHaveLength(5)
})

it('has no watchdog where systemd asks for none', async () => {
  const { told, manager: plain } = manager({ NOTIFY_SOCKET: '/run/x' })
  await plain.ready()
  await vi.advanceTimersByTimeAsync(600_000)
  expect(told).toEqual(['READY=1'])
})
