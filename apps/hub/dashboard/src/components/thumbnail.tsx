import { useState } from 'preact/hooks'
import { Icon } from '../icons.tsx'

export interface ThumbnailProps {
  readonly url: string | null
  readonly alt: string
  /** What stands there when there is no picture. */
  readonly none?: string
}

/** A frame's picture, or a calm stand-in when none was kept or it cannot be loaded. */
export function Thumbnail({ url, alt, none = 'No picture kept' }: ThumbnailProps) {
  const [failed, setFailed] = useState<string>()
  if (url === null || failed === url) {
    return (
      <span class="picture picture-none">
        <Icon name="image" />
        <span>{none}</span>
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
