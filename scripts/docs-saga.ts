/**
 * Writes docs/saga.md from the tables of the sagas and the policies; with `--check`, only says whether it is fresh. What a
 * chapter looks like is saga-chapter.ts; here are the sagas, with example data for their tables to be asked with.
 */
import type { PaymentData, PaymentMethod } from '../src/domain/payment.ts';
import { REFUND_FAILURE_MESSAGES, type RefundData } from '../src/domain/refund.ts';
import type { Backoff } from '../src/domain/retry.ts';
import { PAYMENT_SAGA, paymentDataOf } from '../src/domain/saga/payment-saga.ts';
import { PAYMENT_COMMANDS, PAYMENT_STATES } from '../src/domain/saga/payment-types.ts';
import { SAGA_POLICIES, type SagaPolicy } from '../src/domain/saga/policy.ts';
import { REFUND_SAGA, refundDataOf } from '../src/domain/saga/refund-saga.ts';
import { REFUND_COMMANDS, REFUND_STATES } from '../src/domain/saga/refund-types.ts';
import { keepFresh } from './keep-fresh.ts';
import { chapterText } from './saga-chapter.ts';

const CREATED = {
  scope: { merchant: 'default', mode: 'live' },
  idempotencyKey: '',
  fingerprint: '',
  trace: { traceId: '', traceparent: '' },
  waitMs: 0,
} as const;

/** A payment of that kind, with nothing learnt yet; of the times and ids nothing is shown. */
function payment(method: PaymentMethod, captured: boolean): PaymentData {
  const request = { wallet_id: '', service_id: '', amount: 1, currency: 'USD', method };
  return { ...paymentDataOf({ ...CREATED, request, amountCodes: false }, 'pay_', 0), captured };
}

/** A refund whose amount is reserved. */
function refund(method: PaymentMethod): RefundData {
  return {
    ...refundDataOf({ ...CREATED, request: { payment_id: 'pay_' } }, 'ref_', 0),
    payment: {
      amountMinor: 1,
      currency: 'USD',
      walletId: '',
      serviceId: '',
      method,
      provider: null,
      providerReference: null,
    },
  };
}

const PAYMENT_CHAPTER = chapterText({
  title: 'The payment saga',
  intro: `\`src/domain/saga/payment-saga.ts\`. The pivot is \`debiting\` (for cards, \`capturing\`): before it the saga can turn
back, after it only on. Refunds do not move it: a payment that is refunded stays \`completed\`, and its object counts what is
reserved and what was given back (\`src/domain/payment-refunds.ts\`).`,
  table: PAYMENT_SAGA,
  states: PAYMENT_STATES,
  commands: PAYMENT_COMMANDS,
  starts: [
    ['holding_funds', 'balance'],
    ['authorizing', 'card'],
  ],
  kinds: [
    ['balance', payment('balance', false)],
    ['card', payment('credit_card', false)],
    ['card, captured', payment('credit_card', true)],
  ],
  failed: {
    ...payment('balance', false),
    failure: { code: 'debit_failed', message: '' },
    late: [{ provider: null, reference: null, captured: true }],
  },
});

const REFUND_CHAPTER = chapterText({
  title: 'The refund saga',
  intro: `\`src/domain/saga/refund-saga.ts\`. The pivot is the provider's refund: once the money is given back there, the wallet's
credit can only go forward. Where the payment's object refuses to reserve, the claim of the key is taken back and there is no
refund: a refusal is an HTTP error and no state (decision [0030](decisions/0030-refunds-reserve-by-call.md)). Why
\`completed\` may be left: decision [0031](decisions/0031-a-refund-can-fail-after-success.md).`,
  table: REFUND_SAGA,
  states: REFUND_STATES,
  commands: REFUND_COMMANDS,
  starts: [['reserving', '']],
  kinds: [
    ['balance', refund('balance')],
    ['card', refund('credit_card')],
  ],
  failed: {
    ...refund('balance'),
    failure: { code: 'refund_declined', message: REFUND_FAILURE_MESSAGES.refund_declined },
  },
});

function duration(ms: number): string {
  const [unit, size] = (
    [
      ['h', 3_600_000],
      ['min', 60_000],
      ['s', 1_000],
    ] as const
  ).find(([, candidate]) => ms >= candidate && ms % candidate === 0) ?? ['ms', 1];
  return `${ms / size} ${unit}`;
}

function policyRows(): string[] {
  const row = (what: string, read: (policy: SagaPolicy) => string): string =>
    `| ${what} | ${read(SAGA_POLICIES.live)} | ${read(SAGA_POLICIES.sandbox)} |`;
  const growing = ({ firstMs, maxMs }: Backoff): string => `${duration(firstMs)}, ${duration(maxMs)}`;
  return [
    row('a command with no outcome is sent again after, growing to', ({ resend }) => growing(resend)),
    row('the same for a command to the gateway', ({ resendGateway }) => growing(resendGateway)),
    row('calls that authorize may begin for', (policy) => duration(policy.authorizeBudgetMs)),
    row('and can land for this long after: no absence proves anything before', (policy) =>
      duration(policy.absenceGraceMs),
    ),
    row('waits between look-ups; the last is repeated', (policy) => policy.lookupScheduleMs.map(duration).join(', ')),
    row('every provider was passed over: they are asked again after, growing to', ({ round }) => growing(round)),
    row('look-ups go on for (the late window)', (policy) => duration(policy.lateWindowMs)),
    row('a compensation, a capture, or a refund at the provider is tried for', (policy) =>
      duration(policy.compensationBudgetMs),
    ),
  ];
}

keepFresh(
  'docs/saga.md',
  `<!-- Generated by scripts/docs-saga.ts from src/domain/saga/: payment-saga.ts, refund-saga.ts, policy.ts. Do not edit. -->
# The sagas

A payment is one saga, and each refund of it another: two tables over one engine, \`src/domain/saga/engine.ts\`. A command is
stored with the transition that caused it, sent, and sent again until an outcome is known. An outcome is read as one of these
results of its command: **done**, it took effect · **refused**, it did not, for good · **pending**, the provider will say
later · **unknown**, it may have taken effect · **not_sent**, it provably reached nobody · **absent**, a look-up found
nothing · **spent**, given up. Unknown never reads as refused.

A result that neither the state nor *In every state* lists comes too late to change anything: it is recorded, and the state
stays. Of several rows for one result the first whose condition holds is taken. *Again later*: an effect after its backoff (or
when the other side has asked to be left alone until then), a question when its schedule says so. What only waits for its time is
dropped when the saga enters a state; what was sent never is, but for questions.

- [The payment saga](#the-payment-saga)
- [The refund saga](#the-refund-saga)
- [Times](#times), the same for both

${PAYMENT_CHAPTER}

${REFUND_CHAPTER}

## Times

| | live | sandbox |
|---|---|---|
${policyRows().join('\n')}
`,
);
