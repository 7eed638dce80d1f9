/**
 * The table of docs-commands.test.ts: which commands of the documents are run elsewhere, and where. A new command in a document needs a row
 * here, unless it is a curl: those are sent to a Worker by that test itself. Of the rows that fit, the first counts; one that nothing needs fails.
 */
export type Proof =
  /** A file that runs it, or CI's own script; `names` stands in it, word by word. */
  | { readonly by: string; readonly names: string }
  /** Run by docs-commands.test.ts: each has a test there of that name. */
  | { readonly here: 'npm run dev' | 'simulate' }
  /** Only a real account can answer it: why. */
  | { readonly account: string }
  /** Too long for CI, and no proof rests on it: why. */
  | { readonly byHand: string };

/** Documents whose every command is run by a test of their own, which names them. */
export const WHOLE_DOCUMENTS: Readonly<Record<string, string>> = {
  'docs/webhooks.md': 'test/e2e/docs-commands.test.ts',
  'docs/observability/logs.md': 'test/e2e/observability.test.ts',
};

const CI = '.ci/run';

export const PROOFS: readonly (readonly [RegExp, Proof])[] = [
  [/^npm ci && npm run demo\b/, { by: 'test/e2e/demo.test.ts', names: 'scripts/demo.ts' }],
  [/^npm ci && npm test\b/, { by: CI, names: "step 'tests' npm test" }],
  [/^npm test$/, { by: CI, names: "step 'tests' npm test" }],
  // Its parts, one step each.
  [/^npm run check$/, { by: CI, names: 'types:check' }],
  [/^npm run docs$/, { by: CI, names: 'docs:check' }],
  [/^npm run dev\b/, { here: 'npm run dev' }],
  [/^npm run audit\b/, { by: 'test/e2e/audit.test.ts', names: "script('audit.ts'" }],
  [/^npm run rebuild\b/, { by: 'test/e2e/audit.test.ts', names: "'rebuild.ts'" }],
  [/^npx wrangler d1 execute DB --local /, { by: 'test/e2e/audit.test.ts', names: 'scripts/empty-record.sql' }],
  [/^(API_KEY_SECRET=\S+ )?npm run (--silent )?keys\b/, { by: 'test/e2e/keys.test.ts', names: 'keys.ts' }],
  [/^npm run archive\b/, { by: 'test/e2e/archive.test.ts', names: 'archive.ts' }],
  [/^npm run advisories\b/, { by: CI, names: 'npm run --silent advisories' }],
  [/^npm run bundle\b/, { by: CI, names: 'npm run --silent bundle' }],
  [/^npx wrangler r2 object\b/, { account: 'reads the deployed bucket' }],
  [/^npx wrangler queues resume-delivery\b/, { account: 'changes a deployed queue' }],
  [/^npm run example:client$/, { by: 'test/e2e/client.test.ts', names: 'examples/pay.ts' }],
  [/^npm run build$/, { by: 'test/e2e/client.test.ts', names: "'-p', 'client'" }],
  [/^npm run simulate -- /, { here: 'simulate' }],
  [/^npm run chaos\b/, { by: 'test/e2e/chaos.test.ts', names: 'scripts/chaos.ts' }],
  [/^npm run fuzz\b/, { by: 'test/e2e/fuzz.test.ts', names: 'scripts/fuzz/run.ts' }],
  [/^npm run mutate\b/, { by: 'test/e2e/mutation-canary.test.ts', names: 'scripts/mutate.ts' }],
  [/^HOLDFAST_FLIPS=\d+ npm run prove:audit$/, { by: 'test/audit/audit-flips.property.test.ts', names: 'AUDIT_FLIPS' }],
  [
    /^CRASH_PAIRS=all npx vitest run --project crashes /,
    { by: 'test/crashes/crash-pairs.crash.test.ts', names: 'CRASH_PAIRS' },
  ],
  [
    /^DEAD_COMMANDS=\d+ npx vitest run --project stories /,
    { by: 'test/contention/dead-letters.flow.test.ts', names: 'DEAD_COMMANDS' },
  ],
  [
    /^HOLDFAST_RUNS=\d+ npx vitest run --project domain /,
    { by: 'test/domain/ledger.property.test.ts', names: 'HOLDFAST_RUNS' },
  ],
  [
    /^npm run bench\b/,
    { byHand: 'it measures a machine that does nothing else, for minutes; its code is type-checked' },
  ],
  [
    /^npm run cost\b/,
    { byHand: 'it runs hundreds of payments for its figures; what it counts and prints by is tested' },
  ],
  [/^npm run screenshots$/, { byHand: 'it pictures what test/e2e/console.test.ts walks through, by the same code' }],
  [/^npm run deploy -- --dry-run$/, { by: 'test/e2e/deploy.test.ts', names: "deploy(['--dry-run']" }],
  // The script itself, against an account that is not there: support/stand-in-wrangler.ts.
  [/^npm run deploy\b/, { by: 'test/e2e/deploy.test.ts', names: 'scripts/deploy.ts' }],
  [/^npx wrangler login$/, { account: 'logs in' }],
  [/^npx wrangler tail\b/, { account: 'listens to a deployed Worker' }],
  [/^npx wrangler d1 execute DB --remote /, { account: 'asks the deployed database' }],
  [/^npx wrangler (deployments|rollback)\b/, { account: 'is about deployed versions' }],
];
