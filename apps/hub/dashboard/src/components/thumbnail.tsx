import { useState } from 'preact/hooks'
import { Icon } from '../icons.tsx'

export interface ThumbnailProps {
  readonly url: string | null
  readonly alt: string
  /** What stands there when there is no picture; default: whether there was one. */
  readonly none?: string
}

/** A frame's picture, or a calm stand-in: sites may keep none, or not for long. */
export function Thumbnail({ url, alt, none }: ThumbnailProps) {
  const [failed, setFailed] = useState<string>()
  if (url === null || failed === url) {
    // Of a frame that had one, retention or a stricter policy has taken it since.
    const text = none ?? (url === null ? 'No picture kept' : 'Picture no longer kept')
    return (
      <span class="picture picture-none">
        <Icon name="imageOff" />
        {text !== '' && <span>{text}</span>}
      </span>
    )
  }
  return (
    <img
      class="picture"
      src={url}
      alt={alt}
      loading="lazy"
      decoding="async"
      width={256}
      height={192}
      onError={() => setFailed(url)}
    />
  )
}
