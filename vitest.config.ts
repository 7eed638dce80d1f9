import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
// wrangler runs this as its build command; the test runner reads wrangler.toml without it, and wants the assets too.
import './scripts/assets.ts';

/** The Workers runtime with the whole application in it, as `wrangler dev` runs it: sandbox mode, no authentication. */
function workersRuntime(vars: Record<string, string>, main = './test/support/worker.ts', collector?: string) {
  return cloudflareTest(async ({ inject }) => ({
    main,
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      // For the test of rate limits: one that refuses soon.
      ratelimits: { TEST_RATE_LIMIT: { namespace_id: '7199', simple: { limit: 2, period: 60 } } },
      bindings: {
        MODE: 'sandbox',
        AUTH: 'open',
        RATE_LIMITS: 'off',
        TEST_MIGRATIONS: await readD1Migrations('./migrations'),
        // In the runtime `process.env` has bindings only.
        ...(process.env.HOLDFAST_SEED !== undefined && { HOLDFAST_SEED: process.env.HOLDFAST_SEED }),
        // A name is a receiver of this test run; anything else is an address.
        ...(collector !== undefined && {
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.includes(':')
            ? collector
            : `${inject('receiversUrl')}/hooks/${collector}`,
        }),
        ...vars,
      },
    },
  }));
}

/**
 * For a test and for what comes before it: payments that a hook begins wait for the same alarms as a test's. What is polled may be late by
 * what else the machine does, and vitest's own second is less than that.
 */
function within(milliseconds: number) {
  return { testTimeout: milliseconds, hookTimeout: milliseconds, expect: { poll: { timeout: 15_000 } } };
}

/** Traces are exported to this collector: a receiver by its name, or an address. */
function tracesProject(name: string, include: string, collector: string, vars: Record<string, string>, alone = {}) {
  return {
    plugins: [workersRuntime(vars, undefined, collector)],
    test: {
      name,
      include: [include],
      globalSetup: ['test/support/webhook-receivers.ts'],
      setupFiles: ['test/support/setup.ts'],
      ...within(60_000),
      ...alone,
    },
  };
}

/** P9 (test/audit): the long run is `HOLDFAST_FLIPS=10000 npm run prove:audit`. */
const AUDIT_PROOF = { AUDIT_FLIPS: process.env.HOLDFAST_FLIPS ?? '1000' };

const IN_WORKERS = ['test/{durable-objects,queues,http,flows,gateway,regressions}/**/*.test.ts'];
/** What reads the whole record, or counts all that happens: a runtime for each file, since a message of another file is in it too. */
const WHOLE_RECORD = [
  'test/audit/**/*.test.ts',
  'test/durable-objects/{reconciliation,saga-retention,sandbox-provider}.test.ts',
  'test/flows/{archive,frozen-wallet,record-full,sweeper}.flow.test.ts',
  'test/gateway/statements.test.ts',
  'test/http/{metrics,ops-breakers,ops-dead-letters,ops-overview,ops-reconcile,ops-sagas,payments-list,wallets-list}.test.ts',
  'test/queues/payment-events.test.ts',
  'test/regressions/runtime.test.ts',
];

function workersProject(
  name: string,
  files: { include: string[]; exclude?: string[]; isolate?: false },
  vars: Record<string, string> = {},
) {
  return {
    // A lost message is sent again soon, so that tests of losses need not wait for production's times.
    plugins: [workersRuntime({ SAGA_RESEND_FIRST_MS: '250', ...vars })],
    test: {
      name,
      ...files,
      // Real HTTP on loopback: for the adapters to real providers, and receivers of webhooks.
      globalSetup: ['test/gateway/support/provider-servers.ts', 'test/support/webhook-receivers.ts'],
      setupFiles: ['test/support/setup.ts'],
      ...within(60_000),
    },
  };
}

const DEAD_COLLECTOR = { OTEL_TRACES_SAMPLER_ARG: '1' };
/** Files that take most of a minute or more on two cores, longest first. */
const LONG_FILES = [
  'e2e/fuzz',
  'crashes/crash-pairs',
  'simulation/simulation',
  'crashes/crash-points',
  'stories/reconciliation',
  'contention/dead-letters',
  'e2e/console',
  'audit/audit-flips',
  'flows/operator-moves',
  'flows/sweeper',
  'flows/webhooks',
  'flows/archive',
  'durable-objects/wallet-model',
  'regressions/payments',
  'regressions/runtime',
  'e2e/observability',
  'e2e/chaos',
  'e2e/deploy',
];

/** A long file begins before the others of its project: one that begins last is waited for alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONG_FILES.findIndex((name) => moduleId.includes(`/test/${name}.`));
      return index === -1 ? LONG_FILES.length : index;
    };
    const byProject = Map.groupBy(await super.sort(files), ({ project }) => project.name);
    return [...byProject.values()].flatMap((specs) => specs.toSorted((one, other) => rank(one) - rank(other)));
  }
}

/** One file after the other, and nothing beside it. */
const ALONE = { fileParallelism: false, sequence: { groupOrder: 1 } };
/** Long files that take one core each, in which a provider that is slow is one that does not answer: two at once, and nothing beside them. */
const LONG = { maxWorkers: 2, sequence: { groupOrder: 2 } };

// The pure core runs in plain Node, in seconds; everything else in the Workers runtime, with real SQLite, queues, alarms
// and D1. No retries anywhere: a flaky test is a bug.
export default defineConfig({
  test: {
    // The Worker logs a line per unit of work: shown only for what fails.
    silent: 'passed-only',
    // On two cores vitest would take one; most of these tests wait for real alarms: with three files at once both are busy for 0.7 of the
    // time, with four for 0.8.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // What was transformed for one project is taken by the next, and by the next run: by the content of each file.
    experimental: { fsModuleCache: true },
    projects: [
      {
        test: {
          name: 'domain',
          include: ['test/{client,documents,domain}/**/*.test.ts', 'test/simulation/canaries.test.ts'],
          environment: 'node',
          ...within(120_000),
        },
      },
      {
        // The pure modules of the operations console; the console itself runs in a browser (test/e2e/console.test.ts).
        test: { name: 'console', include: ['test/console/**/*.test.ts'], environment: 'node', ...within(120_000) },
      },
      {
        // The simulator: pure too, a minute of a core. Its length is asked in yardsticks (P1): beside a busy process it takes 62 of 100.
        test: {
          name: 'simulation',
          include: ['test/simulation/simulation.test.ts'],
          environment: 'node',
          ...within(900_000),
          ...LONG,
        },
      },
      // One runtime for many files: to load the application takes longer than most of them.
      workersProject('workers', { include: IN_WORKERS, exclude: WHOLE_RECORD, isolate: false }),
      workersProject('whole-record', { include: WHOLE_RECORD }, AUDIT_PROOF),
      // New traces are not sampled here, so that what is exported is what a test asks for.
      tracesProject('traces', 'test/traces/*.test.ts', 'collector', {
        OTEL_TRACES_SAMPLER_ARG: '0',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector-secret',
      }),
      // Nobody listens there; and one that takes everything and never answers. A payment must end before an export gives up, so no
      // other load may make it late.
      tracesProject('collector-refused', 'test/traces/dead/*.test.ts', 'http://127.0.0.1:9', DEAD_COLLECTOR, ALONE),
      tracesProject('collector-silent', 'test/traces/dead/*.test.ts', 'silent', DEAD_COLLECTOR, ALONE),
      {
        // Providers that do not answer, and commands that die, with the sandbox's own times: sending again early would
        // add load to load.
        plugins: [workersRuntime({ DEAD_COMMANDS: process.env.DEAD_COMMANDS ?? '250' })],
        test: {
          name: 'stories',
          include: ['test/stories/**/*.test.ts', 'test/contention/dead-letters.flow.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          ...within(120_000),
        },
      },
      {
        // A thousand at once (P5, P6). The gateway's step has ten minutes, not the sandbox's twenty seconds: how many
        // authorizations a machine makes in that time is not what is asked.
        plugins: [workersRuntime({ SAGA_AUTHORIZE_BUDGET_MS: '600000' })],
        test: {
          name: 'contention',
          include: ['test/contention/contention.flow.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          ...within(120_000),
          ...LONG,
        },
      },
      {
        // Objects and consumers that end at named points. Hundreds of sagas at once: sent again soon, but not so soon that what
        // is only slow would be.
        plugins: [
          workersRuntime(
            {
              SAGA_RESEND_FIRST_MS: '3000',
              CRASH_PAIRS: process.env.CRASH_PAIRS ?? '',
            },
            './test/crashes/support/worker.ts',
          ),
        ],
        test: {
          name: 'crashes',
          include: ['test/crashes/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          ...within(process.env.CRASH_PAIRS === 'all' ? 7_200_000 : 900_000),
          ...LONG,
        },
      },
      {
        // What a person runs, as processes over real HTTP, a browser too: three at once keep two cores busy.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          environment: 'node',
          ...within(120_000),
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
