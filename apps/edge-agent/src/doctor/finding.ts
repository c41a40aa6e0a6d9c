/** ok: as it should be. warn: works, but not well. fail: something asked for is missing. info: neither good nor bad. */
export type Mark = 'ok' | 'warn' | 'fail' | 'info'

/** One line of the doctor's report. */
export interface Finding {
  readonly group: 'Device' | 'Model' | 'Cameras' | 'Hub'
  readonly name: string
  readonly mark: Mark
  /** One line, without secrets. */
  readonly text: string
  /** What to do about it. */
  readonly advice?: string
  /** The figures behind the text, for programs. */
  readonly data?: Readonly<Record<string, unknown>>
}
