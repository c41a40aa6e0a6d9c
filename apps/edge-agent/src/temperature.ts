import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ZONES = '/sys/class/thermal'
/** Of Jetson boards: the power chip's zone says a constant, whatever the temperature is. */
const CONSTANT = /^pmic/i
/** What a sensor says that is switched off, or that lies. */
const [LEAST_C, MOST_C] = [-40, 150]

/**
 * Temperature of the hottest zone of this machine, in degrees Celsius; undefined where the kernel shows none, as in most
 * virtual machines. A zone gives millidegrees (Linux kernel, Generic Thermal Sysfs driver How To).
 */
export function hottestZoneC(dir = ZONES): number | undefined {
  const readings = namesIn(dir)
    .filter(name => name.startsWith('thermal_zone') && !CONSTANT.test(read(dir, name, 'type')))
    .map(name => Number.parseInt(read(dir, name, 'temp'), 10) / 1000)
    .filter(celsius => celsius >= LEAST_C && celsius <= MOST_C)
  return readings.length === 0 ? undefined : Math.max(...readings)
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Empty when it cannot be read: the zone of a graphics unit that sleeps answers with an error. */
function read(...path: readonly string[]): string {
  try {
    return readFileSync(join(...path), 'utf8').trim()
  } catch {
    return ''
  }
}
