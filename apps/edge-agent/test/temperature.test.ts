import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hottestZoneC } from '@sightline/edge-agent/temperature.js'
import { afterEach, beforeEach, expect, it } from 'vitest'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'thermal-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function zone(name: string, type: string, temp?: string): Promise<void> {
  await mkdir(join(dir, name))
  await writeFile(join(dir, name, 'type'), `${type}\n`)
  if (temp !== undefined) await writeFile(join(dir, name, 'temp'), temp)
}

it('is that of the hottest zone', async () => {
  await zone('thermal_zone0', 'CPU-therm', '48500\n')
  await zone('thermal_zone1', 'GPU-therm', '51250\n')
  // A fan or a frequency limit, with a state and no temperature.
  await zone('cooling_device0', 'pwm-fan', '99000\n')
  expect(hottestZoneC(dir)).toBe(51.25)
})

it('leaves out what is no measurement', async () => {
  await zone('thermal_zone0', 'CPU-therm', '-5500\n')
  await zone('thermal_zone1', 'PMIC-Die', '100000\n')
  await zone('thermal_zone2', 'GPU-therm')
  await zone('thermal_zone3', 'wifi', '-274000\n')
  await zone('thermal_zone4', 'modem', 'off\n')
  expect(hottestZoneC(dir)).toBe(-5.5)
})

it('is unknown where there are no zones', async () => {
  expect(hottestZoneC(dir)).toBeUndefined()
  expect(hottestZoneC(join(dir, 'nowhere'))).toBeUndefined()
})
