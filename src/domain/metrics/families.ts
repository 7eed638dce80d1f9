/**
 * Pure: THE table of what `GET /metrics` exposes: name, type, help and labels of each family, and which family each stored
 * counter and sum is of. Names are a contract with dashboards and alerts (docs/observability): added to, never changed.
 */
import { DEAD_LETTER_SERIES } from '../dead-letter.ts';
import { PAYMENT_FAILURE_MESSAGES } from '../errors.ts';
import type { EventType } from '../events/catalogue.ts';
import { REFUND_FAILURE_MESSAGES } from '../refund.ts';
import { FAILURES, RUNS_SERIES } from './measures.ts';

export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: `holdfast_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

function family(name: Family['name'], type: Family['type'], help: string, ...labels: readonly string[]): Family {
  return { name, type, help, labels };
}

export const FAMILIES = {
  payments: family('holdfast_payments_total', 'counter', 'Payments that ended.', 'status', 'failure'),
  refunds: family('holdfast_refunds_total', 'counter', 'Refunds that ended.', 'status', 'failure'),
  walletRefusals: family('holdfast_wallet_refusals_total', 'counter', 'Steps that a wallet refused.', 'operation'),
  declines: family('holdfast_gateway_declines_total', 'counter', 'Payments that a provider declined.'),
  unknowns: family('holdfast_gateway_unknown_total', 'counter', 'Provider answers that left an outcome unknown.'),
  outcomes: family(
    'holdfast_provider_outcomes_total',
    'counter',
    'What became of calls to providers, as the sagas heard it; provider "none": no call was made.',
    'provider',
    'operation',
    'status',
  ),
  deliveries: family('holdfast_webhook_deliveries_total', 'counter', 'Webhook deliveries that ended.', 'status'),
  deadLetterChanges: family('holdfast_dead_letters_total', 'counter', 'Dead letters by what became of them.', 'change'),
  measuredRuns: family('holdfast_measured_runs_total', 'counter', 'Runs of events that added to the histograms here.'),
  steps: family(
    'holdfast_step_duration_seconds',
    'histogram',
    'From a command to its outcome, both as the saga committed them.',
    'command',
  ),
  ends: family(
    'holdfast_end_to_end_duration_seconds',
    'histogram',
    'From the creation of a payment or refund to its terminal state.',
    'kind',
    'status',
  ),
  cost: family(
    'holdfast_cost_units_total',
    'counter',
    'What payments and refunds that have ended cost of the platform, in what it bills.',
    'resource',
  ),
  costUsd: family('holdfast_cost_usd_total', 'counter', 'The same at list price, in USD.', 'resource'),
  deadLetters: family('holdfast_dead_letters', 'gauge', 'Dead letters that nobody has redriven or discarded.'),
  attention: family('holdfast_sagas_needing_attention', 'gauge', 'Sagas that wait for a person.', 'kind', 'reason'),
  stuck: family('holdfast_sagas_stuck', 'gauge', 'Sagas that have stood still too long.', 'kind', 'state'),
  unfinished: family('holdfast_sagas_unfinished', 'gauge', 'Sagas that have not ended.', 'kind', 'state'),
  oldest: family(
    'holdfast_unfinished_oldest_age_seconds',
    'gauge',
    'Age of the oldest saga that has not ended.',
    'kind',
  ),
  limbo: family(
    'holdfast_limbo_amount_minor',
    'gauge',
    'Sum of the amounts of payments that have not ended, in minor units.',
    'currency',
  ),
  outboxAge: family(
    'holdfast_outbox_age_seconds',
    'gauge',
    'By the sweeps of the last eight minutes: the longest that events have waited to be recorded, where that was too long; otherwise 0.',
  ),
  sweepAge: family('holdfast_sweep_age_seconds', 'gauge', 'Since the last run of the sweeper ended.'),
  sweepFindings: family('holdfast_sweep_findings', 'gauge', 'What the last run of the sweeper found.', 'finding'),
  reconciliationAge: family(
    'holdfast_reconciliation_age_seconds',
    'gauge',
    'Since the last reconciliation of all providers that came to its end was begun.',
  ),
  reconciliationDifferences: family(
    'holdfast_reconciliation_differences',
    'gauge',
    'Differences that the last finished reconciliation of all providers found.',
  ),
  reconciliationIncomplete: family(
    'holdfast_reconciliation_incomplete',
    'gauge',
    '1: the last finished reconciliation of all providers could not compare everything; otherwise 0.',
  ),
  recordSize: family('holdfast_record_size_bytes', 'gauge', 'How large the record (D1) is, as D1 itself says.'),
  archivePlanned: family(
    'holdfast_archive_planned_age_seconds',
    'gauge',
    'Since the oldest object of the archive that is not written yet was planned; 0: there is none.',
  ),
  breakers: family(
    'holdfast_breaker_state',
    'gauge',
    'Circuit breakers: 1 for the state that each is in, 0 for the others.',
    'provider',
    'operation',
    'state',
  ),
  truncated: family(
    'holdfast_scrape_truncated',
    'gauge',
    '1: more rows than one scrape reads, so less is told.',
    'kind',
  ),
  errors: family('holdfast_scrape_errors', 'gauge', '1: this part could not be read and is left out.', 'part'),
} as const satisfies Record<string, Family>;

export type FamilyId = keyof typeof FAMILIES;

type CounterSeries =
  | Extract<EventType, `metrics.${string}`>
  | (typeof DEAD_LETTER_SERIES)[keyof typeof DEAD_LETTER_SERIES]
  | typeof RUNS_SERIES;

/** Every stored series that is a count; a new one does not compile until it has a name here. */
export const COUNTERS: Readonly<Record<CounterSeries, readonly [FamilyId, Labels]>> = {
  'metrics.payment.success': ['payments', { status: 'completed' }],
  'metrics.payment.failure': ['payments', { status: 'failed' }],
  'metrics.refund.success': ['refunds', { status: 'completed' }],
  'metrics.refund.failure': ['refunds', { status: 'failed' }],
  'metrics.wallet.hold_funds_failure': ['walletRefusals', { operation: 'hold_funds' }],
  'metrics.wallet.debit_failure': ['walletRefusals', { operation: 'debit' }],
  'metrics.wallet.credit_failure': ['walletRefusals', { operation: 'credit' }],
  'metrics.gateway.unauthorized': ['declines', {}],
  'metrics.gateway.unknown': ['unknowns', {}],
  'metrics.notification.delivered': ['deliveries', { status: 'delivered' }],
  'metrics.notification.failed': ['deliveries', { status: 'failed' }],
  [DEAD_LETTER_SERIES.stored]: ['deadLetterChanges', { change: 'stored' }],
  [DEAD_LETTER_SERIES.redriven]: ['deadLetterChanges', { change: 'redriven' }],
  [DEAD_LETTER_SERIES.discarded]: ['deadLetterChanges', { change: 'discarded' }],
  [RUNS_SERIES]: ['measuredRuns', {}],
};

/** The family that a kind of sum is of; the parts of the sum's name are its labels, in this order (measures.ts). */
export const SUMS: Readonly<Record<string, FamilyId>> = {
  step: 'steps',
  end: 'ends',
  outcome: 'outcomes',
  payments: 'payments',
  refunds: 'refunds',
};

/** The sums of all failures that there can be, at nothing: so that the first of each is seen as a step. */
export const NO_FAILURES: Readonly<Record<string, number>> = Object.fromEntries([
  ...Object.keys(PAYMENT_FAILURE_MESSAGES).map((code) => [`${FAILURES['metrics.payment.failure']}${code}`, 0]),
  ...Object.keys(REFUND_FAILURE_MESSAGES).map((code) => [`${FAILURES['metrics.refund.failure']}${code}`, 0]),
]);
