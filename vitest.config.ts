import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
// wrangler runs this as its build command; the test runner reads wrangler.toml without it, and wants the assets too.
import './scripts/assets.ts';

/** The Workers runtime with the whole application in it, as `wrangler dev` runs it: sandbox mode, no authentication. */
function workersRuntime(vars: Record<string, string>) {
  return cloudflareTest(async () => ({
    main: './test/support/worker.ts',
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      bindings: { MODE: 'sandbox', AUTH: 'open', TEST_MIGRATIONS: await readD1Migrations('./migrations'), ...vars },
    },
  }));
}

// The pure core runs in plain Node, in seconds; everything else in the Workers runtime, with real SQLite, queues, alarms
// and D1. No retries anywhere: a flaky test is a bug.
export default defineConfig({
  test: {
    // The Worker logs a line per unit of work: shown only for what fails.
    silent: 'passed-only',
    projects: [
      {
        test: { name: 'domain', include: ['test/domain/**/*.test.ts'], environment: 'node', testTimeout: 120_000 },
      },
      {
        // A lost message is sent again soon, so that tests of losses need not wait for production's times.
        plugins: [workersRuntime({ SAGA_RESEND_FIRST_MS: '250' })],
        test: {
          name: 'workers',
          include: ['test/{durable-objects,queues,http,flows,gateway}/**/*.test.ts'],
          // Real HTTP on loopback: for the adapters to real providers, and receivers of webhooks.
          globalSetup: ['test/gateway/support/provider-servers.ts', 'test/support/webhook-receivers.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: 60_000,
        },
      },
      {
        // Many payments at once, and providers that do not answer, with the sandbox's own times: sending again early would
        // add load to load.
        plugins: [workersRuntime({})],
        test: {
          name: 'stories',
          include: ['test/{contention,stories}/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: 120_000,
        },
      },
      {
        // What a person runs, as processes over real HTTP. After everything else: it measures nothing, and needs the cores.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
