import { type CameraStatus, canonicalJson, fault, type Log, type Service } from '@sightline/core'
import type { AgentCamera } from '../settings.ts'
import type { Frame } from './camera.ts'
import { FrameTap } from './frame-tap.ts'

/** What the group needs of one camera's supervisor and pipeline. */
export interface CameraWay {
  status(): CameraStatus
  /** Runs until `signal` aborts, or the source is at its end for good. */
  run(signal: AbortSignal, tap: FrameTap): Promise<void>
}

export interface CameraGroupOptions {
  readonly cameras: readonly AgentCamera[]
  /** Makes the way of a camera without starting it. @throws CAMERA_BAD_SOURCE */
  readonly open: (settings: AgentCamera) => CameraWay
  /** These are the cameras from now on; those that left are at rest. */
  readonly onChange: (names: ReadonlySet<string>) => Promise<void>
  readonly log: Log
}

interface Member {
  readonly settings: AgentCamera
  readonly way: CameraWay
  readonly tap: FrameTap
  readonly stopping: AbortController
  running: Promise<void> | undefined
}

/** All cameras of an agent, side by side. They may come, go and change while the others run on. */
export class CameraGroup implements Service {
  readonly name = 'cameras'
  readonly #options: CameraGroupOptions
  #members: ReadonlyMap<string, Member>
  #started = false
  /** Changes happen one after the other. */
  #last: Promise<void> = Promise.resolve()

  constructor(options: CameraGroupOptions) {
    this.#options = options
    this.#members = new Map(options.cameras.map(camera => [camera.name, this.#member(camera)]))
  }

  async start(): Promise<void> {
    this.#started = true
    for (const member of this.#members.values()) this.#run(member)
  }

  async stop(): Promise<void> {
    this.#started = false
    await this.#last
    await Promise.all([...this.#members.values()].map(halt))
  }

  statuses(): CameraStatus[] {
    return [...this.#members.values()].map(({ way }) => way.status())
  }

  /** The next frame of a running camera. @throws CAMERA_UNKNOWN */
  nextFrame(name: string, signal: AbortSignal): Promise<Frame> {
    return this.#find(name).tap.next(signal)
  }

  /** Closes a camera and opens it again, whatever state it is in. @throws CAMERA_UNKNOWN */
  restart(name: string): Promise<void> {
    return this.#change(async () => {
      const { settings } = this.#find(name)
      await this.#replace(new Map(this.#members).set(name, this.#member(settings)))
    })
  }

  /** Those whose settings are as they were run on. @throws CAMERA_BAD_SOURCE; then nothing has changed */
  apply(cameras: readonly AgentCamera[]): Promise<void> {
    return this.#change(async () => {
      const same = ({ settings }: Member, camera: AgentCamera) =>
        canonicalJson(settings) === canonicalJson(camera)
      const next = cameras.map(camera => {
        const known = this.#members.get(camera.name)
        return known !== undefined && same(known, camera) ? known : this.#member(camera)
      })
      await this.#replace(new Map(next.map(member => [member.settings.name, member])))
    })
  }

  async #replace(next: ReadonlyMap<string, Member>): Promise<void> {
    const before = this.#members
    this.#members = next
    // One that is opened again must be closed first: a device node or a camera may serve one reader only.
    await Promise.all([...before].map(([name, member]) => next.get(name) !== member && halt(member)))
    await this.#options.onChange(new Set(next.keys()))
    if (!this.#started) return
    for (const member of next.values()) if (member.running === undefined) this.#run(member)
  }

  #change(job: () => Promise<void>): Promise<void> {
    const change = this.#last.then(job)
    this.#last = change.catch(() => {})
    return change
  }

  #member(settings: AgentCamera): Member {
    const way = this.#options.open(settings)
    return { settings, way, tap: new FrameTap(), stopping: new AbortController(), running: undefined }
  }

  #run(member: Member): void {
    const { way, tap, stopping, settings } = member
    member.running = way
      .run(stopping.signal, tap)
      .catch(err => this.#options.log.error({ err, camera: settings.name }, 'a camera was given up'))
  }

  #find(name: string): Member {
    const member = this.#members.get(name)
    if (member !== undefined) return member
    const names = [...this.#members.keys()].join(', ') || 'none'
    throw fault('CAMERA_UNKNOWN', `there is no camera ${JSON.stringify(name)} here; there are: ${names}`)
  }
}

async function halt({ stopping, running }: Member): Promise<void> {
  stopping.abort()
  await running
}
