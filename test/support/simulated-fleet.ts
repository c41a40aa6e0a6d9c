import type { DeliveryLedger } from './delivery-ledger.ts'
import { SimulatedAgent, type SimulatedAgentOptions } from './simulated-agent.ts'
import type { VectorSpace } from './simulated-records.ts'

const TICK_MS = 20

export interface FleetOptions {
  readonly count: number
  readonly url: string
  readonly space: VectorSpace
  readonly ledger: DeliveryLedger
  readonly settings?: SimulatedAgentOptions['settings']
}

/** Many simulated agents in one process. */
export class SimulatedFleet {
  readonly agents: readonly SimulatedAgent[]
  #timer: NodeJS.Timeout | undefined

  constructor({ count, url, space, ledger, settings }: FleetOptions) {
    this.agents = Array.from({ length: count }, (_, i) => {
      const address = { site: 'default', node: `sim-${i}` }
      return new SimulatedAgent({ address, url, space, ledger, ...(settings && { settings }) })
    })
  }

  get outstanding(): number {
    return this.agents.reduce((sum, agent) => sum + agent.outstanding, 0)
  }

  get up(): number {
    return this.agents.filter(agent => agent.up).length
  }

  start(): void {
    for (const agent of this.agents) agent.start()
  }

  /**
   * Begins to make `perSecond` records a second and agent, spread evenly; none while `maxOutstanding` wait, so that a slow
   * machine is not left with more than it can drain.
   */
  record(perSecond: number, maxOutstanding = Number.POSITIVE_INFINITY): void {
    const startedMs = performance.now()
    let made = 0
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond * this.agents.length)
      if (this.outstanding >= maxOutstanding) made = due
      for (; made < due; made++) this.agents[made % this.agents.length]!.record()
    }, TICK_MS)
  }

  pause(): void {
    clearInterval(this.#timer)
  }

  /** Resolves with whether everything was acknowledged within `limitMs`. */
  async drained(limitMs: number): Promise<boolean> {
    return (await Promise.all(this.agents.map(agent => agent.drained(limitMs)))).every(Boolean)
  }

  /** Of the times to acknowledgement of all agents, in milliseconds. */
  latencyMs(percentile: number): number {
    const all = this.agents.flatMap(agent => agent.latenciesMs).sort((a, b) => a - b)
    return all[Math.min(all.length - 1, Math.floor((all.length * percentile) / 100))] ?? 0
  }

  async stop(): Promise<void> {
    this.pause()
    await Promise.all(this.agents.map(agent => agent.stop()))
  }
}
