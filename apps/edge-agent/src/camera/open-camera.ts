import { resolve } from 'node:path'
import { type Clock, fault, redactUrl } from '@sightline/core'
import type { Camera, CameraSettings } from './camera.ts'
import { FfmpegCamera, type FfmpegInput } from './ffmpeg-camera.ts'
import { FolderCamera } from './folder-camera.ts'
import { HttpCamera } from './http-camera.ts'

/** Picks the implementation by the source. @throws CAMERA_BAD_SOURCE */
export function openCamera({ settings, clock }: { settings: CameraSettings; clock: Clock }): Camera {
  const { source } = settings
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase()
  if (scheme === 'folder') {
    return new FolderCamera({ settings, dir: resolve(source.slice('folder:'.length)), clock })
  }
  if (scheme === 'http' || scheme === 'https') {
    if (!URL.canParse(source)) throw badSource(source, 'not a valid address')
    return new HttpCamera({ settings, url: new URL(source), clock })
  }
  return new FfmpegCamera({ settings, input: ffmpegInput(source, scheme), clock })
}

function ffmpegInput(source: string, scheme: string | undefined): FfmpegInput {
  // TCP: over UDP a lost packet smears the picture, and smeared pictures fire rules.
  if (scheme === 'rtsp' || scheme === 'rtsps') {
    return { url: source, options: ['-rtsp_transport', 'tcp'], isFile: false }
  }
  if (/^\/dev\/video\d+$/.test(source)) return { url: source, options: ['-f', 'v4l2'], isFile: false }
  if (source === '' || scheme !== undefined) throw badSource(source, 'unknown kind of source')
  // `file:` keeps ffmpeg from reading another protocol out of a file's name; `-re` plays at the film's own speed.
  return { url: `file:${resolve(source)}`, options: ['-re'], isFile: true }
}

function badSource(source: string, reason: string) {
  return fault('CAMERA_BAD_SOURCE', `${JSON.stringify(redactUrl(source))}: ${reason}`)
}
