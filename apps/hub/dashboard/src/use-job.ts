import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from './api-error.ts'

export interface Job {
  readonly busy: boolean
  /** Of the last run. */
  readonly failed: ApiError | undefined
  /** Runs one at a time; what fails is kept to be shown. */
  readonly run: (work: () => Promise<void>) => Promise<void>
}

/** Something that a button sets off. */
export function useJob(): Job {
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<ApiError>()
  const run = async (work: () => Promise<void>) => {
    if (busy) return
    setBusy(true)
    setFailed(undefined)
    try {
      await work()
    } catch (error) {
      setFailed(asApiError(error))
    } finally {
      setBusy(false)
    }
  }
  return { busy, failed, run }
}
