import { PassThrough } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault, isFault, type Rule, type RuleBundle } from '@sightline/core'
import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Backtest } from '../../moderation/backtest.ts'
import { backtestView } from '../../moderation/backtest-view.ts'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import type { RecordStore } from '../../store/record-store.ts'
import { errorBody } from '../errors.ts'
import { parseFilter } from '../filter.ts'
import { FilterShape, Limit } from '../shapes.ts'

const Options = {
  filter: Type.Optional(Type.Object(FilterShape, { additionalProperties: false })),
  limit: Limit(24, 200),
}
const Saved = Type.Object(Options, { additionalProperties: false })
const Unsaved = Type.Object(
  // Checked by the handler, to name every fault by its path.
  { rule: Type.Unknown({ description: 'A rule as in PUT /rules.' }), ...Options },
  { additionalProperties: false },
)

const DESCRIPTION =
  'Answers in lines of JSON (application/x-ndjson): {type: "progress", scanned, total, frames} while it goes on, last ' +
  '{type: "result", …} or {type: "error", error}. Ends when the client goes away. Runs on stored frames only: a device ' +
  'also counts frames that its gate left out as repeats.'

export interface BacktestParts {
  readonly backtest: Backtest
  readonly rules: RuleDesk
  readonly store: RecordStore
}

export const backtestRoutes: FastifyPluginAsyncTypebox<BacktestParts> = async (app, parts) => {
  const { rules } = parts

  app.post(
    '/rules/:id/backtest',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'What a rule would have raised on stored frames',
        description: DESCRIPTION,
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
        body: Saved,
      },
      // Nothing at all is a request for everything.
      preValidation: async request => {
        request.body ??= {}
      },
    },
    async ({ params: { id }, body }, reply) => {
      const document = rules.get()
      const rule = document.rules.find(each => each.id === id)
      if (rule === undefined) throw fault('API_NOT_FOUND', `there is no rule ${id}`)
      const compiled = await rules.compileOne(rule)
      return stream(parts, reply, { ...compiled, version: document.version, options: body })
    },
  )

  app.post(
    '/rules/backtest',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'What an unsaved rule would have raised on stored frames',
        description: DESCRIPTION,
        body: Unsaved,
      },
    },
    async ({ body: { rule, ...options } }, reply) =>
      stream(parts, reply, { ...(await rules.compileOne(rule)), version: null, options }),
  )
}

interface Request {
  readonly bundle: RuleBundle
  readonly rule: Rule
  /** Of the rules in force; null for a rule that is not saved. */
  readonly version: number | null
  readonly options: Static<typeof Saved>
}

/** What is wrong with the request is answered as such; what goes wrong later is the last line. */
async function stream(
  { backtest, store }: BacktestParts,
  reply: FastifyReply,
  { bundle, rule, version, options }: Request,
): Promise<FastifyReply> {
  backtest.check()
  const gone = new AbortController()
  reply.raw.on('close', () => gone.abort())
  const lines = new PassThrough()
  const send = (line: object) => lines.writable && lines.write(`${JSON.stringify(line)}\n`)
  const job = {
    bundle,
    audience: { sites: rule.sites, groups: rule.groups },
    filter: parseFilter(options.filter ?? {}),
    top: options.limit ?? 24,
    signal: gone.signal,
    onProgress: (progress: object) => send({ type: 'progress', ...progress }),
  }
  void backtest
    .run(job)
    .then(report => send({ type: 'result', ...backtestView(report, version, store) }))
    .catch((error: unknown) => {
      if (gone.signal.aborted) return
      const known = isFault(error) ? error : fault('INTERNAL', 'an unexpected failure')
      send({ type: 'error', ...errorBody(known.code, known.message) })
    })
    .finally(() => lines.end())
  return reply
    .type('application/x-ndjson; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .send(lines)
}
