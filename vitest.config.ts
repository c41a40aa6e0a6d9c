import { defineConfig } from 'vitest/config'

/** Tests run the compiled packages (worker threads and CLIs must run what ships); `npm test` builds first. */
export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Native sessions and real brokers per file: isolation by process, two at a time on small machines.
    pool: 'forks',
    maxWorkers: 2,
    // They only end what hangs: a machine may be busy, and four times as slow as it was.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
  },
})
