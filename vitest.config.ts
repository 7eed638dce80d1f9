import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

// Two projects: the pure core in plain Node, in seconds; everything else in the Workers runtime, with real SQLite,
// queues, alarms and D1. No retries anywhere: a flaky test is a bug.
export default defineConfig({
  test: {
    projects: [
      {
        test: { name: 'domain', include: ['test/domain/**/*.test.ts'], environment: 'node', testTimeout: 120_000 },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                MODE: 'sandbox',
                AUTH: 'open',
                // A lost message is sent again soon, so that tests of losses need not wait for production's times.
                SAGA_RESEND_FIRST_MS: '250',
                TEST_MIGRATIONS: await readD1Migrations('./migrations'),
              },
            },
          })),
        ],
        test: {
          name: 'workers',
          include: ['test/{durable-objects,queues,http,flows,gateway}/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          testTimeout: 60_000,
        },
      },
    ],
  },
});
