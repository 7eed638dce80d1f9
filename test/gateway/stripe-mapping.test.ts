/** The outcome mapping of the Stripe adapter, row by row: transport × HTTP status × body → answer. */
import { describe, expect, it } from 'vitest';
import type { AuthorizeRequest, ChargeRequest, ProviderAnswer } from '../../src/gateway/provider.ts';
import { StripeAdapter } from '../../src/gateway/providers/stripe.ts';
import { http, NO_ANSWER, PAN, type Reply, type Row, replying } from './support/replies.ts';

const CHARGE: ChargeRequest = {
  paymentId: 'pay_1',
  key: 'pay_1.x.stripe',
  effectId: 'orchestrator.gateway.authorize.pay_1.3',
  chargeKey: 'pay_1.a.stripe',
  chargeReference: 'pi_1',
  amountMinor: 1_230,
  currency: 'USD',
};
const AUTHORIZE: AuthorizeRequest = {
  ...CHARGE,
  method: 'credit_card',
  merchant: 'default',
  serviceId: 'svc-1',
  token: 'pm_card_visa',
};

const intent = (status: string, more: object = {}) => ({
  object: 'payment_intent',
  id: 'pi_1',
  status,
  amount: 1_230,
  currency: 'usd',
  metadata: { payment_id: 'pay_1' },
  ...more,
});
const refund = (status: string | null, more: object = {}) => ({
  object: 'refund',
  id: 're_1',
  amount: 1_230,
  status,
  metadata: { refund_key: CHARGE.key },
  ...more,
});
const list = (...data: unknown[]) => ({ object: 'list', data, has_more: false });
const error = (type: string, code?: string, more: object = {}) => ({
  error: { type, ...(code !== undefined && { code }), message: `no ${PAN}`, ...more },
});
const unknown = (reason: string): ProviderAnswer => ({ kind: 'unknown', reason });

/** Beyond those of every provider. */
const STRIPE_NO_ANSWER: readonly Row[] = [
  [
    '429 rate_limit',
    http(429, error('invalid_request_error', 'rate_limit')),
    { kind: 'throttled', retryAfterMs: 1_000 },
  ],
  ['429 lock_timeout', http(429, error('invalid_request_error', 'lock_timeout')), unknown('lock_timeout')],
  [
    '409 of a key in use',
    http(409, error('idempotency_error', 'idempotency_key_in_use')),
    unknown('idempotency_key_in_use'),
  ],
  ['409 of anything', http(409, error('invalid_request_error', 'lock_timeout')), unknown('lock_timeout')],
  ['400 of a key reused', http(400, error('idempotency_error')), unknown('idempotency_key_reused')],
  [
    '500 that should not be retried',
    http(500, error('api_error'), { 'Stripe-Should-Retry': 'false' }),
    unknown('http_500'),
  ],
  ['503 that should be retried', http(503, error('api_error'), { 'Stripe-Should-Retry': 'true' }), unknown('http_503')],
];

/** Of an operation about a charge that is known, an error of Stripe's own is followed by the question how the charge stands. */
const AUTHORIZE_ROWS: readonly Row[] = [
  ['requires_capture', http(200, intent('requires_capture')), { kind: 'approved', reference: 'pi_1', captured: false }],
  ['succeeded', http(200, intent('succeeded')), { kind: 'approved', reference: 'pi_1', captured: true }],
  ['processing', http(200, intent('processing')), { kind: 'pending', reference: 'pi_1' }],
  ['requires_action', http(200, intent('requires_action')), { kind: 'pending', reference: 'pi_1' }],
  [
    'requires_payment_method after a decline, in a 200',
    http(
      200,
      intent('requires_payment_method', { last_payment_error: { code: 'card_declined', decline_code: 'lost_card' } }),
    ),
    { kind: 'declined', declineCode: 'lost_card', reference: 'pi_1' },
  ],
  ['requires_payment_method without one', http(200, intent('requires_payment_method')), unknown('answer_unexpected')],
  ['canceled', http(200, intent('canceled')), unknown('answer_unexpected')],
  ['a status of the future', http(200, intent('requires_patience')), unknown('answer_unexpected')],
  ['another amount', http(200, intent('requires_capture', { amount: 123_000 })), unknown('answer_mismatch')],
  ['another currency', http(200, intent('requires_capture', { currency: 'eur' })), unknown('answer_mismatch')],
  [
    '402 with a decline code',
    http(
      402,
      error('card_error', 'card_declined', { decline_code: 'insufficient_funds', payment_intent: { id: 'pi_1' } }),
    ),
    { kind: 'declined', declineCode: 'insufficient_funds', reference: 'pi_1' },
  ],
  [
    '402 without one',
    http(402, error('card_error', 'card_declined')),
    { kind: 'declined', declineCode: 'generic_decline' },
  ],
  [
    '402 expired_card',
    http(402, error('card_error', 'expired_card')),
    { kind: 'declined', declineCode: 'expired_card' },
  ],
  [
    '402 invalid_cvc',
    http(402, error('card_error', 'invalid_cvc')),
    { kind: 'declined', declineCode: 'incorrect_cvc' },
  ],
  [
    '402 of a bank that wants to see the customer',
    http(402, error('card_error', 'authentication_required', { decline_code: 'authentication_required' })),
    { kind: 'declined', declineCode: 'authentication_required' },
  ],
  [
    '402 with a card number for a code',
    http(402, error('card_error', 'card_declined', { decline_code: PAN })),
    { kind: 'declined', declineCode: 'generic_decline' },
  ],
  ['402 of no card', http(402, error('api_error', 'card_declined')), unknown('card_declined')],
  ['402 without a body', http(402, ''), unknown('answer_unreadable')],
  [
    '400 amount_too_small',
    http(400, error('invalid_request_error', 'amount_too_small')),
    { kind: 'refused', code: 'amount_too_small' },
  ],
  [
    '400 of an unknown token',
    http(400, error('invalid_request_error', 'resource_missing')),
    { kind: 'refused', code: 'invalid_token' },
  ],
  ['400 without a code', http(400, error('invalid_request_error')), { kind: 'refused', code: 'invalid_request' }],
  [
    '400 with a text for a code',
    http(400, error('invalid_request_error', `no ${PAN}`)),
    { kind: 'refused', code: 'invalid_request' },
  ],
  [
    '400 testmode_charges_only',
    http(400, error('invalid_request_error', 'testmode_charges_only')),
    { kind: 'misconfigured', reason: 'testmode_charges_only' },
  ],
  [
    '400 parameter_unknown',
    http(400, error('invalid_request_error', 'parameter_unknown')),
    { kind: 'misconfigured', reason: 'parameter_unknown' },
  ],
  ['400 of a new type', http(400, error('new_error', 'x')), unknown('x')],
];

const state = error('invalid_request_error', 'payment_intent_unexpected_state');
type SettleRow = readonly [says: string, replies: readonly [() => Reply, ...(() => Reply)[]], expected: ProviderAnswer];

const CAPTURE_ROWS: readonly SettleRow[] = [
  ['succeeded', [http(200, intent('succeeded'))], { kind: 'captured', reference: 'pi_1' }],
  ['processing', [http(200, intent('processing'))], { kind: 'pending', reference: 'pi_1' }],
  ['still requires_capture', [http(200, intent('requires_capture'))], unknown('answer_unexpected')],
  ['another amount', [http(200, intent('succeeded', { amount: 1 }))], unknown('answer_unexpected')],
  [
    'refused, and it is captured',
    [http(400, state), http(200, intent('succeeded'))],
    { kind: 'captured', reference: 'pi_1' },
  ],
  [
    'refused, and it is canceled',
    [http(400, state), http(200, intent('canceled'))],
    { kind: 'refused', code: 'charge_voided', reference: 'pi_1' },
  ],
  [
    'refused, and it still stands',
    [http(400, error('invalid_request_error', 'charge_expired_for_capture')), http(200, intent('requires_capture'))],
    { kind: 'refused', code: 'charge_expired_for_capture' },
  ],
  ['refused, and it cannot be read', [http(400, state), http(502, '')], unknown('http_502')],
  ['refused, and reading is throttled', [http(400, state), http(429, '')], { kind: 'throttled', retryAfterMs: 1_000 }],
  [
    'refused in a state that it has left meanwhile',
    [http(400, state), http(200, intent('requires_capture'))],
    unknown('payment_intent_unexpected_state'),
  ],
  [
    'refused in the state that it is in',
    [http(400, state), http(200, intent('requires_payment_method', { last_payment_error: { code: 'expired_card' } }))],
    { kind: 'refused', code: 'payment_intent_unexpected_state' },
  ],
  [
    'declined, and it still stands',
    [http(402, error('card_error', 'card_declined')), http(200, intent('requires_capture'))],
    { kind: 'refused', code: 'generic_decline' },
  ],
  [
    'a 500, and it is captured',
    [http(500, error('api_error')), http(200, intent('succeeded'))],
    { kind: 'captured', reference: 'pi_1' },
  ],
  [
    'a 500, and it still stands',
    [http(500, error('api_error')), http(200, intent('requires_capture'))],
    unknown('http_500'),
  ],
  ['404', [http(404, error('invalid_request_error', 'resource_missing'))], { kind: 'absent' }],
];

const VOID_ROWS: readonly SettleRow[] = [
  ['canceled', [http(200, intent('canceled'))], { kind: 'voided', reference: 'pi_1' }],
  [
    'refused, and it is canceled',
    [http(400, state), http(200, intent('canceled'))],
    { kind: 'voided', reference: 'pi_1' },
  ],
  [
    'refused, and it is captured',
    [http(400, state), http(200, intent('succeeded'))],
    { kind: 'refused', code: 'charge_captured', reference: 'pi_1' },
  ],
  [
    'refused, and it is processing',
    [http(400, state), http(200, intent('processing'))],
    { kind: 'pending', reference: 'pi_1' },
  ],
  [
    'refused in a state that it has left meanwhile',
    [http(400, state), http(200, intent('requires_capture'))],
    unknown('payment_intent_unexpected_state'),
  ],
  [
    'a 500, and it is canceled',
    [http(500, error('api_error')), http(200, intent('canceled'))],
    { kind: 'voided', reference: 'pi_1' },
  ],
  ['404', [http(404, error('invalid_request_error', 'resource_missing'))], { kind: 'absent' }],
  [
    '404 of anything else',
    [http(404, error('invalid_request_error', 'url_invalid')), http(404, 'not found')],
    unknown('answer_unreadable'),
  ],
];

const REFUND_ROWS: readonly SettleRow[] = [
  ['succeeded', [http(200, refund('succeeded'))], { kind: 'refunded', reference: 're_1' }],
  ['pending', [http(200, refund('pending'))], { kind: 'pending', reference: 're_1' }],
  ['requires_action', [http(200, refund('requires_action'))], { kind: 'pending', reference: 're_1' }],
  ['failed', [http(200, refund('failed'))], { kind: 'refused', code: 'refund_failed', reference: 're_1' }],
  ['canceled', [http(200, refund('canceled'))], { kind: 'refused', code: 'refund_canceled', reference: 're_1' }],
  ['no status', [http(200, refund(null))], unknown('refund_status_missing')],
  [
    'refused, and ours is there with no status',
    [http(400, error('invalid_request_error', 'charge_already_refunded')), http(200, list(refund(null)))],
    unknown('refund_status_missing'),
  ],
  [
    'refused, and one without metadata is there',
    [
      http(400, error('invalid_request_error', 'charge_already_refunded')),
      http(200, list(refund('succeeded', { metadata: null }))),
    ],
    { kind: 'refused', code: 'charge_already_refunded' },
  ],
  [
    'refused, and one that cannot be read is there',
    [
      http(400, error('invalid_request_error', 'charge_already_refunded')),
      http(200, list(refund('succeeded', { metadata: null }), refund('new', { metadata: null }))),
    ],
    unknown('answer_unexpected'),
  ],
  [
    'refused, and ours is there',
    [http(400, error('invalid_request_error', 'charge_already_refunded')), http(200, list(refund('succeeded')))],
    { kind: 'refunded', reference: 're_1' },
  ],
  [
    'refused, and only another is there',
    [
      http(400, error('invalid_request_error', 'charge_already_refunded')),
      http(200, list(refund('succeeded', { metadata: { refund_key: 'ref_2.r.stripe' } }))),
    ],
    { kind: 'refused', code: 'charge_already_refunded' },
  ],
  [
    'refused, and none can be read',
    [http(400, error('invalid_request_error', 'charge_already_refunded')), http(500, '')],
    unknown('http_500'),
  ],
  [
    'a stored 500, and ours is there',
    [http(500, error('api_error')), http(200, list(refund('pending')))],
    { kind: 'pending', reference: 're_1' },
  ],
  ['a stored 500, and ours is not', [http(500, error('api_error')), http(200, list())], unknown('http_500')],
];

const LOOKUP_ROWS: readonly Row[] = [
  ['requires_capture', http(200, intent('requires_capture')), { kind: 'approved', reference: 'pi_1', captured: false }],
  [
    'succeeded',
    http(200, intent('succeeded', { latest_charge: { amount_refunded: 0 } })),
    { kind: 'approved', reference: 'pi_1', captured: true },
  ],
  [
    'succeeded, refunded in part',
    http(200, intent('succeeded', { latest_charge: { amount_refunded: 1_229 } })),
    { kind: 'approved', reference: 'pi_1', captured: true },
  ],
  [
    'succeeded, refunded whole',
    http(200, intent('succeeded', { latest_charge: { amount_refunded: 1_230 } })),
    { kind: 'refunded', reference: 'pi_1' },
  ],
  ['processing', http(200, intent('processing')), { kind: 'pending', reference: 'pi_1' }],
  ['canceled', http(200, intent('canceled')), { kind: 'voided', reference: 'pi_1' }],
  [
    'declined',
    http(200, intent('requires_payment_method', { last_payment_error: { code: 'expired_card' } })),
    { kind: 'declined', declineCode: 'expired_card', reference: 'pi_1' },
  ],
  ['another amount', http(200, intent('requires_capture', { amount: 1 })), unknown('answer_mismatch')],
  [
    '404 of a charge that was heard of',
    http(404, error('invalid_request_error', 'resource_missing')),
    unknown('resource_missing'),
  ],
  ['402', http(402, error('card_error', 'card_declined')), unknown('card_declined')],
];

type Operation = 'authorize' | 'capture' | 'void' | 'refund' | 'lookup';

async function ask(
  operation: Operation,
  ...replies: readonly [() => Reply, ...(() => Reply)[]]
): Promise<ProviderAnswer> {
  const fetcher = replying(...(replies as [() => Reply]));
  const stripe = new StripeAdapter({ secretKey: 'sk', webhookSecret: 'whsec', fetcher, timeoutMs: 50 });
  switch (operation) {
    case 'authorize':
      return await stripe.authorize(AUTHORIZE);
    case 'lookup':
      return await stripe.lookup(CHARGE);
    default:
      return await stripe[operation](CHARGE);
  }
}

for (const operation of ['authorize', 'capture', 'void', 'refund', 'lookup'] as const) {
  describe(`no answer to ${operation}`, () => {
    it.each([...NO_ANSWER, ...STRIPE_NO_ANSWER])('%s is read as the table says', async (_says, reply, expected) => {
      expect(await ask(operation, reply)).toEqual(expected);
    });
  });
}

describe.each([
  ['authorize', AUTHORIZE_ROWS],
  ['lookup', LOOKUP_ROWS],
] as const)('an answer to %s', (operation, rows) => {
  it.each(rows)('%s is read as the table says', async (_says, reply, expected) => {
    expect(await ask(operation, reply)).toEqual(expected);
  });
});

describe.each([
  ['capture', CAPTURE_ROWS],
  ['void', VOID_ROWS],
  ['refund', REFUND_ROWS],
] as const)('an answer to %s', (operation, rows) => {
  it.each(rows)('%s is read as the table says', async (_says, replies, expected) => {
    expect(await ask(operation, ...replies)).toEqual(expected);
  });
});

describe('whatever Stripe says', () => {
  const everything = [...NO_ANSWER, ...STRIPE_NO_ANSWER, ...AUTHORIZE_ROWS, ...LOOKUP_ROWS].map(([, reply]) => reply);

  it('nothing but a PaymentIntent or a card error of its own is a yes or a no', async () => {
    for (const [, reply] of [...NO_ANSWER, ...STRIPE_NO_ANSWER]) {
      const answer = await ask('authorize', reply);
      expect(['unknown', 'not_sent', 'throttled', 'misconfigured']).toContain(answer.kind);
    }
  });

  it('no card number and no text of it leaves the adapter', async () => {
    for (const reply of everything) {
      for (const operation of ['authorize', 'capture', 'void', 'refund', 'lookup'] as const) {
        const text = JSON.stringify(await ask(operation, reply));
        expect(text).not.toContain('4242');
        expect(text).not.toContain('no ');
      }
    }
  });
});
