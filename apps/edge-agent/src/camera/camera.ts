import type { ImageInput } from '@sightline/core'

export interface Frame {
  readonly camera: string
  /** Device time at which the frame was complete here, milliseconds since the epoch. */
  readonly capturedAt: number
  /** An encoded JPEG, PNG or WebP file, or decoded RGB. Not checked yet: a camera passes on what it receives. */
  readonly image: ImageInput
}

/** Port: where frames come from. */
export interface Camera {
  readonly name: string
  /** As configured, without credentials. */
  readonly source: string
  /**
   * True when frames arrive whether or not anyone asks for them: a slow consumer then gets the newest one and the
   * others are dropped. False when the source waits, and so loses nothing.
   */
  readonly pushes: boolean
  /**
   * Opens the source and yields frames until `signal` aborts (then it ends without an error) or the source ends. May
   * be called again after it ended or failed.
   * @throws CAMERA_FAILED, FFMPEG_MISSING
   */
  frames(signal: AbortSignal): AsyncIterable<Frame>
}

export interface CameraSettings {
  readonly name: string
  readonly source: string
  /** Frames a second, at most. */
  readonly fps: number
  /** Begin again at the end of a folder or a video file. */
  readonly repeat: boolean
  /** Longest wait for a connection or for the next frame. */
  readonly timeoutSeconds: number
  /** Longest encoded frame. */
  readonly maxFrameBytes: number
  readonly ffmpegPath: string
}
