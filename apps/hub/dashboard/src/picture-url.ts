import { useEffect, useRef } from 'preact/hooks'
import { asApiError } from './api-error.ts'
import { useResource, useServices } from './services.ts'

/** The address that was pasted, when nothing but an address was. */
export function addressIn(transfer: Pick<DataTransfer, 'getData'> | null): string | undefined {
  const text = transfer?.getData('text/plain').trim() ?? ''
  return /^https?:\/\/\S+$/i.test(text) && URL.canParse(text) ? text : undefined
}

export interface PictureUrlHandlers {
  readonly onPicture: (file: File) => void
  /** What to do about it, in words. */
  readonly onFailure: (message: string) => void
}

/** Pasted addresses of pictures become pictures, where the hub fetches them; elsewhere they are words like others. */
export function usePictureUrls(handlers: PictureUrlHandlers): void {
  const { api } = useServices()
  const enabled = useResource('search by url', signal => api.system(signal)).data?.searchByUrl === true
  const newest = useRef(handlers)
  newest.current = handlers
  useEffect(() => {
    if (!enabled) return
    const paste = (event: ClipboardEvent) => {
      const address = addressIn(event.clipboardData)
      if (address === undefined) return
      event.preventDefault()
      api.fetchPicture(address).then(
        picture =>
          newest.current.onPicture(new File([picture], new URL(address).hostname, { type: picture.type })),
        error => {
          const { message, remedy } = asApiError(error)
          newest.current.onFailure(`The picture was not fetched: ${message}. ${remedy}`)
        },
      )
    }
    addEventListener('paste', paste)
    return () => removeEventListener('paste', paste)
  }, [enabled, api])
}
