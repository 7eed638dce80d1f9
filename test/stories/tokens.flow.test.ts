/**
 * Every token of docs/sandbox.md, to the end of its story: the payment, the wallet's ledger and the books of both
 * providers are compared. All payments are made at once, before the first test; a test waits for its own.
 */
import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment.ts';
import { chargeOf, createPayment, entries, json, openWallet, provider, until, wallet } from '../support/payments.ts';

const FUNDS = 5_000;
const COMPLETED = ['deposit', 'hold', 'debit'];
const RELEASED = ['deposit', 'hold', 'release'];

interface Story {
  readonly token: string;
  readonly body?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
  readonly status: 'COMPLETED' | 'FAILED' | 'PENDING';
  readonly failure?: { code: string; decline_code?: string };
  readonly ledger: readonly string[];
  /** What the two providers' books say; null: nothing is known there. */
  readonly acme: string | null;
  readonly borealis?: string | null;
  readonly lookupsMin?: number;
  /** Calls that the charge took; not given where a slow answer may make the saga ask again with the same key. */
  readonly authorizeCalls?: number | undefined;
}

const completes = (token: string, more: Partial<Story> = {}): Story => ({
  token,
  status: 'COMPLETED',
  ledger: COMPLETED,
  acme: 'authorized',
  authorizeCalls: 1,
  ...more,
});

const declines = (token: string, decline_code: string, more: Partial<Story> = {}): Story => ({
  token,
  status: 'FAILED',
  failure: { code: 'gateway_declined', decline_code },
  ledger: RELEASED,
  acme: 'declined',
  authorizeCalls: 1,
  ...more,
});

const STORIES: readonly Story[] = [
  completes('pm_card_visa'),
  completes('pm_card_mastercard'),
  declines('pm_card_visa_chargeDeclined', 'generic_decline'),
  declines('pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds'),
  declines('pm_card_visa_chargeDeclinedLostCard', 'lost_card'),
  declines('pm_card_visa_chargeDeclinedStolenCard', 'stolen_card'),
  declines('pm_card_chargeDeclinedExpiredCard', 'expired_card'),
  declines('pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc'),
  declines('pm_card_chargeDeclinedProcessingError', 'processing_error'),
  declines('pm_card_fraudulent', 'fraudulent'),
  declines('pm_no_such_token', 'invalid_token'),
  completes('pm_sim_pending'),
  declines('pm_sim_pending_decline', 'generic_decline'),
  completes('pm_sim_callback_never', { lookupsMin: 1 }),
  completes('pm_sim_callback_duplicate'),
  completes('pm_sim_callback_out_of_order'),
  completes('pm_sim_callback_before_response', { authorizeCalls: undefined }),
  completes('pm_sim_callback_bad_signature', { lookupsMin: 1 }),
  {
    token: 'pm_sim_timeout_before',
    status: 'FAILED',
    failure: { code: 'gateway_unavailable' },
    ledger: RELEASED,
    acme: null,
  },
  completes('pm_sim_timeout_after_success', { lookupsMin: 1, authorizeCalls: undefined }),
  completes('pm_sim_5xx_after_success', { lookupsMin: 1 }),
  completes('pm_sim_stale_status', { lookupsMin: 4 }),
  {
    token: 'pm_sim_lost',
    status: 'PENDING',
    ledger: ['deposit', 'hold'],
    acme: 'authorized',
    lookupsMin: 3,
  },
  {
    token: 'pm_sim_unavailable',
    status: 'FAILED',
    failure: { code: 'gateway_unavailable' },
    ledger: RELEASED,
    acme: 'turned_away',
    borealis: 'turned_away',
  },
  completes('pm_sim_flaky_2', { authorizeCalls: undefined, borealis: 'turned_away' }),
  completes('pm_sim_slow_100'),
  completes('pm_sim_primary_down', { acme: 'turned_away', borealis: 'authorized' }),
  completes('pm_sim_primary_ambiguous', { lookupsMin: 2, authorizeCalls: undefined }),
  {
    token: 'pm_sim_debit_fail',
    status: 'FAILED',
    failure: { code: 'debit_failed' },
    ledger: RELEASED,
    acme: 'voided',
  },
  {
    token: 'pm_sim_void_fail_2',
    status: 'FAILED',
    failure: { code: 'debit_failed' },
    ledger: RELEASED,
    acme: 'voided',
  },
  completes('pm_card_pendingRefund'),
  completes('pm_card_refundFail'),
  completes('pm_sim_refund_timeout'),
  completes('pm_sim_refund_no_callback'),
];

const payments = new Map<string, PaymentView>();

beforeAll(async () => {
  // The fault tokens count as real faults: the breakers have tests of their own and are kept out of these stories.
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force('closed');
  for (const { token, body } of STORIES) {
    await openWallet(`w-${token}`, FUNDS);
    payments.set(token, await createPayment({ wallet_id: `w-${token}`, token, ...body }));
  }
});

afterAll(async () => {
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force(null);
});

function idOf(token: string): string {
  return payments.get(token)?.id ?? '';
}

describe('a token tells its story to the end, and three books agree', () => {
  test.each(STORIES)('$token: $status', { timeout: 90_000 }, async (story) => {
    const id = idOf(story.token);
    const payment = await until(
      () => json<PaymentView>(`/payments/${id}`),
      (view) => (story.status === 'PENDING' ? view.saga_state === 'authorization_unknown' : view.status !== 'PENDING'),
      80_000,
    );
    const charge = await until(
      () => chargeOf(id),
      (found) => story.lookupsMin === undefined || (found?.calls.lookup ?? 0) >= story.lookupsMin,
      60_000,
    );
    expect(payment.status).toBe(story.status);
    if (story.failure !== undefined) expect(payment.failure).toMatchObject(story.failure);
    else expect(payment.failure).toBeUndefined();
    expect((await entries(`w-${story.token}`)).map((entry) => entry.type)).toEqual(story.ledger);
    expect(await wallet(`w-${story.token}`)).toMatchObject({
      available: story.status === 'FAILED' ? FUNDS : FUNDS - 1_230,
      held: story.status === 'PENDING' ? 1_230 : 0,
      settled: story.status === 'COMPLETED' ? 1_230 : 0,
    });
    expect(charge?.status ?? null).toBe(story.acme);
    expect((await chargeOf(id, 'borealis'))?.status ?? null).toBe(story.borealis ?? null);
    if (story.authorizeCalls !== undefined) {
      const charged = story.borealis === 'authorized' ? await chargeOf(id, 'borealis') : charge;
      expect(charged?.calls.authorize).toBe(story.authorizeCalls);
    }
  });

  test('pm_sim_lost: says when it is checked next, and never says that it failed', async () => {
    const payment = await json<PaymentView>(`/payments/${idOf('pm_sim_lost')}`);
    expect(Date.parse(payment.next_check_at ?? '')).toBeGreaterThan(Date.parse(payment.created_at));
    expect(payment.failure).toBeUndefined();
  });

  test('pm_sim_primary_down: the timeline says where it went and why', async () => {
    const { data } = await json<{ data: { event_type: string; payload: unknown }[] }>(
      `/payments/${idOf('pm_sim_primary_down')}/events`,
    );
    expect(data.filter((event) => event.event_type === 'payment_gateway.routed').map((event) => event.payload)).toEqual(
      [
        expect.objectContaining({
          provider: 'acme',
          rule: 'sandbox',
          candidates: ['acme', 'borealis'],
          passed_over: [],
        }),
        expect.objectContaining({
          provider: 'borealis',
          passed_over: [{ provider: 'acme', reason: expect.any(String) }],
        }),
      ],
    );
  });

  test('pm_sim_callback_bad_signature: every forged callback was refused with 401', async () => {
    const { callbacks } = await until(
      () => provider('acme').books({ limit: 1 }),
      (books) => books.callbacks.some((callback) => callback.forged && callback.lastStatus !== null),
    );
    for (const callback of callbacks.filter((each) => each.forged && each.lastStatus !== null)) {
      expect(callback.lastStatus).toBe(401);
    }
    const stored = await env.DB.prepare('SELECT COUNT(*) AS count FROM provider_callbacks WHERE entity_id = ?')
      .bind(idOf('pm_sim_callback_bad_signature'))
      .first<number>('count');
    expect(stored).toBe(0);
  });

  test('pm_sim_callback_duplicate: one callback is stored, however often it came', async () => {
    const { callbacks } = await provider('acme').books({ limit: 1 });
    const sent = callbacks.filter((callback) => callback.body.includes(idOf('pm_sim_callback_duplicate')));
    expect(sent.length).toBe(2);
    expect(sent.map((callback) => callback.lastStatus)).toEqual([200, 200]);
    const stored = await env.DB.prepare('SELECT status FROM provider_callbacks WHERE entity_id = ?')
      .bind(idOf('pm_sim_callback_duplicate'))
      .all<{ status: string }>();
    expect(stored.results).toEqual([{ status: 'delivered' }]);
  });
});

test('pm_sim_rate_limited: waits as long as it was asked to, and completes', { timeout: 60_000 }, async () => {
  await openWallet('w-limited', FUNDS);
  const { id } = await createPayment({ wallet_id: 'w-limited', token: 'pm_sim_rate_limited' });
  const payment = await until(
    () => json<PaymentView>(`/payments/${id}`),
    (view) => view.status !== 'PENDING',
    50_000,
  );
  expect(payment.status).toBe('COMPLETED');
  const books = [await chargeOf(id), await chargeOf(id, 'borealis')];
  expect(books.filter((charge) => charge?.status === 'authorized')).toHaveLength(1);
});

test('pm_sim_seed_N: the same number tells the same story', { timeout: 90_000 }, async () => {
  const ends: string[] = [];
  for (const run of [1, 2]) {
    await openWallet(`w-seed-${run}`, FUNDS);
    const { id } = await createPayment({ wallet_id: `w-seed-${run}`, token: 'pm_sim_seed_7' });
    const payment = await until(
      () => json<PaymentView>(`/payments/${id}`),
      (view) => view.status !== 'PENDING',
      80_000,
    );
    ends.push(`${payment.status} ${payment.failure?.code} ${(await chargeOf(id))?.status}`);
  }
  expect(ends[0]).toBe(ends[1]);
});
