import { join } from 'node:path'
import type { BenchOptions, Section } from './measure.ts'
import { cameraPictures, SAMPLES, writePictures } from './pictures.ts'
import { type Program, startAgent, startHub } from './processes.ts'
import { number } from './report.ts'

/** What the processes take of a machine, read from /proc as an operator would. */
export async function footprint({ quick, dir }: BenchOptions): Promise<Section> {
  if (process.platform !== 'linux')
    return { title: 'Footprint', comparisons: [], figures: [], notes: ['Not measured: needs /proc (Linux).'] }
  const still = await writePictures(join(dir, 'still'), await cameraPictures(1))
  const hub = await startHub(dir)
  const programs: Program[] = [hub.program]
  const agent = async (node: string, cameras: readonly Record<string, unknown>[]) => {
    const started = await startAgent(dir, { node, mqttPort: hub.mqttPort, cameras })
    programs.push(started)
    return started
  }
  try {
    const blind = await agent('blind', [])
    const watching = await agent('watching', [{ name: 'still', source: `folder:${still}`, fps: 1 }])
    await pause(quick ? 1 : 6)
    const idle = await cpuShares({ blind, watching, hub: hub.program }, quick ? 2 : 20)
    const idleMemory = { agent: watching.memoryMiB().now, hub: hub.program.memoryMiB().now }

    const cameras = ['harbour', 'lobby', 'yard'].map(name => ({
      name,
      source: `folder:${join(SAMPLES, name)}`,
      fps: 60,
    }))
    const busy = await agent('busy', cameras)
    await pause(quick ? 2 : 10)
    const mib = (value: number) => `${value.toFixed(0)} MiB`
    return {
      title: 'Footprint',
      comparisons: [],
      figures: [
        { what: 'agent without cameras, CPU', value: percent(idle.blind), target: 'below 2 %' },
        { what: 'agent with a still camera of 1 frame/s, CPU', value: percent(idle.watching) },
        { what: 'hub with these two connected, CPU', value: percent(idle.hub) },
        { what: 'agent with a still camera, resident memory', value: mib(idleMemory.agent) },
        { what: 'hub, resident memory', value: mib(idleMemory.hub) },
        {
          what: 'agent embedding as fast as it can, peak resident memory',
          value: mib(busy.memoryMiB().peak),
        },
        { what: 'hub meanwhile, peak resident memory', value: mib(hub.program.memoryMiB().peak) },
      ],
      notes: [
        'CPU is that of all threads as a share of one core, over 20 s after 6 s of settling. The agents have the three starter rules; the still camera shows one JPEG of 1280x720 again and again, which the gate drops except once a minute.',
      ],
    }
  } finally {
    for (const program of programs.reverse()) await program.stop()
  }
}

/** Share of one core that each program takes over `seconds`. */
async function cpuShares<Name extends string>(
  programs: Readonly<Record<Name, Program>>,
  seconds: number,
): Promise<Record<Name, number>> {
  const names = Object.keys(programs) as Name[]
  const startMs = performance.now()
  const before = new Map(names.map(name => [name, programs[name].cpuMs()]))
  await pause(seconds)
  const elapsedMs = performance.now() - startMs
  const share = (name: Name) => (programs[name].cpuMs() - before.get(name)!) / elapsedMs
  return Object.fromEntries(names.map(name => [name, share(name)])) as Record<Name, number>
}

function pause(seconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 1000 * seconds))
}

function percent(share: number): string {
  return `${number(100 * share)} % of a core`
}
