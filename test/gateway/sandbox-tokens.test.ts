/** Every token of docs/sandbox.md against a real sandbox provider: what the gateway tells, and what the books say. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { DAY_MS } from '../../src/domain/limits.ts';
import { openGatewayBatch } from '../../src/gateway/gateway.ts';
import { moveClockTo } from '../support/retention.ts';
import { command, type GatewayResponse, newPaymentId, responseOf } from './commands.ts';

type Payload = Parameters<typeof command>[1];

async function run(operation: Parameters<typeof command>[0], payload: Payload): Promise<GatewayResponse> {
  const config = readConfig(env);
  if (!config.ok) throw new Error(config.problems.join());
  // Not closed: what the fault tokens of this file do is not to open a breaker for its other tests.
  return responseOf(await openGatewayBatch(env, config.config).run(command(operation, payload), Date.now));
}

async function charge(provider: string, paymentId: string) {
  const books = await env.SANDBOX_PROVIDER.getByName(provider).books();
  return books.charges.find((entry) => entry.paymentId === paymentId);
}

/** Each test's own payment: the object is shared, as it is in production. */
const payment = (token?: string, more: Payload = {}) => ({
  payment_id: newPaymentId(),
  ...(token !== undefined && { token }),
  ...more,
});

/** A clock that stands until it is moved; a day ahead, so that no alarm for its times rings: the runtime's own clock goes on. */
function stopClock(): void {
  moveClockTo(Date.now() + DAY_MS);
}

const pass = (ms: number): unknown => vi.setSystemTime(Date.now() + ms);

afterEach(() => {
  vi.useRealTimers();
});

beforeAll(async () => {
  // The first call makes the object; no test's timeout should pay for that.
  await run('authorize', payment());
});

describe('a token that approves', () => {
  it.each([undefined, 'pm_card_visa', 'pm_card_mastercard', 'pm_sim_debit_fail', 'pm_sim_slow_100'])(
    '%s is authorized, in one charge, by one call',
    async (token) => {
      const given = payment(token);
      const reference = `ch_${given.payment_id}.a.acme`;
      expect(await run('authorize', given)).toMatchObject({
        payment_id: given.payment_id,
        operation: 'authorize',
        gateway_status: 'AUTHORIZED',
        provider: 'acme',
        provider_reference: reference,
      });
      expect(await charge('acme', given.payment_id)).toMatchObject({
        status: 'authorized',
        amountMinor: 1_230,
        calls: { authorize: 1, lookup: 0, capture: 0, void: 0 },
      });
    },
  );
});

describe('a token that declines', () => {
  it.each([
    ['pm_card_visa_chargeDeclined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_visa_chargeDeclinedLostCard', 'lost_card'],
    ['pm_card_visa_chargeDeclinedStolenCard', 'stolen_card'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card'],
    ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc'],
    ['pm_card_chargeDeclinedProcessingError', 'processing_error'],
    ['pm_card_fraudulent', 'fraudulent'],
    ['pm_sim_nonsense', 'invalid_token'],
    ['pm_sim_flaky_', 'invalid_token'],
    ['tok_visa', 'invalid_token'],
    ['toString', 'invalid_token'],
  ])('%s is declined with %s, and stays so', async (token, declineCode) => {
    const given = payment(token);
    const expected = { gateway_status: 'UNAUTHORIZED', decline_code: declineCode };
    expect(await run('authorize', given)).toMatchObject(expected);
    expect(await run('authorize', given)).toMatchObject(expected);
    expect(await run('lookup', given)).toMatchObject({ operation: 'lookup', ...expected });
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'declined', calls: { authorize: 2 } });
  });
});

describe('an amount code', () => {
  it.each([
    [1_205, 'do_not_honor'],
    [1_251, 'insufficient_funds'],
    [1_254, 'expired_card'],
    [1_261, 'limit_exceeded'],
    [1_291, 'issuer_not_available'],
  ])('%i is declined with %s when amount codes are on', async (amount, declineCode) => {
    const coded = payment(undefined, { amount, amount_codes: true });
    expect(await run('authorize', coded)).toMatchObject({ gateway_status: 'UNAUTHORIZED', decline_code: declineCode });
    expect(await run('authorize', payment(undefined, { amount }))).toMatchObject({ gateway_status: 'AUTHORIZED' });
  });

  it('is not read where a token is given, nor from other digits', async () => {
    const withToken = payment('pm_card_visa', { amount: 1_205, amount_codes: true });
    expect(await run('authorize', withToken)).toMatchObject({ gateway_status: 'AUTHORIZED' });
    const other = payment(undefined, { amount: 5_100, amount_codes: true });
    expect(await run('authorize', other)).toMatchObject({ gateway_status: 'AUTHORIZED' });
  });
});

describe('a token that does not let calls through', () => {
  it('pm_sim_flaky_2 turns two calls away unprocessed and takes the third', async () => {
    const given = payment('pm_sim_flaky_2');
    const turnedAway = { gateway_status: 'NOT_SENT', reason: 'provider_unavailable', provider: 'acme' };
    expect(await run('authorize', given)).toMatchObject(turnedAway);
    expect(await run('authorize', given)).toMatchObject(turnedAway);
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'turned_away' });
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'ABSENT' });
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'AUTHORIZED' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'authorized', calls: { authorize: 3 } });
  });

  it('pm_sim_unavailable never takes one', async () => {
    const given = payment('pm_sim_unavailable');
    for (let call = 0; call < 3; call += 1) {
      expect(await run('authorize', given)).toMatchObject({ gateway_status: 'NOT_SENT' });
    }
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'turned_away', calls: { authorize: 3 } });
  });

  it('pm_sim_rate_limited says how long to stay away, and takes the call after that', async () => {
    stopClock();
    const given = payment('pm_sim_rate_limited');
    const limited = { gateway_status: 'NOT_SENT', reason: 'throttled', retry_after_ms: 2_000 };
    expect(await run('authorize', given)).toMatchObject(limited);
    expect(await run('authorize', given)).toMatchObject(limited);
    pass(2_000);
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'AUTHORIZED' });
  });

  it('pm_sim_primary_down is down at the first provider and approves at the second', async () => {
    const given = payment('pm_sim_primary_down');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'NOT_SENT', provider: 'acme' });
    const second = { ...given, provider: 'borealis' };
    expect(await run('authorize', second)).toMatchObject({ gateway_status: 'AUTHORIZED', provider: 'borealis' });
  });
});

describe('a token that loses the answer', () => {
  it('pm_sim_timeout_before leaves no trace at the provider', async () => {
    const given = payment('pm_sim_timeout_before');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'timeout' });
    expect(await charge('acme', given.payment_id)).toBeUndefined();
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'ABSENT' });
  });

  it.each([
    ['pm_sim_timeout_after_success', 'timeout'],
    ['pm_sim_5xx_after_success', 'http_500'],
    ['pm_sim_slow_2500', 'timeout'],
  ])('%s charges, answers nothing, and is found by look-up', async (token, reason) => {
    const given = payment(token);
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'UNKNOWN', reason });
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'authorized', calls: { authorize: 1 } });
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'AUTHORIZED', provider: 'acme' });
  });

  it('pm_sim_lost charges and fails every look-up too', async () => {
    const given = payment('pm_sim_lost');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'UNKNOWN' });
    for (let poll = 0; poll < 3; poll += 1) {
      expect(await run('lookup', given)).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'http_500' });
    }
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'authorized', calls: { lookup: 3 } });
  });

  it('pm_sim_primary_ambiguous charges at the first provider, which is found out at the second look-up', async () => {
    const given = payment('pm_sim_primary_ambiguous');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'UNKNOWN', provider: 'acme' });
    expect(await run('lookup', { ...given, provider: 'acme' })).toMatchObject({ gateway_status: 'UNKNOWN' });
    expect(await run('lookup', { ...given, provider: 'acme' })).toMatchObject({ gateway_status: 'AUTHORIZED' });
    expect(await charge('borealis', given.payment_id)).toBeUndefined();
  });
});

describe('a token that answers later', () => {
  it('pm_sim_callback_never is pending, and is found authorized by look-up a second later', async () => {
    stopClock();
    const given = payment('pm_sim_callback_never');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'PENDING', provider: 'acme' });
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'PENDING' });
    pass(1_000);
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'AUTHORIZED' });
    // The key's answer stays what it was: a repeated POST is not a look-up.
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'PENDING' });
  });

  it('pm_sim_pending_decline turns out declined', async () => {
    stopClock();
    const given = payment('pm_sim_pending_decline');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'PENDING' });
    pass(1_000);
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'UNAUTHORIZED' });
  });

  it('pm_sim_stale_status is pending for three look-ups, however late they come', async () => {
    stopClock();
    const given = payment('pm_sim_stale_status');
    expect(await run('authorize', given)).toMatchObject({ gateway_status: 'PENDING' });
    pass(1_000);
    const polls: string[] = [];
    for (let poll = 0; poll < 4; poll += 1) polls.push((await run('lookup', given)).gateway_status);
    expect(polls).toEqual(['PENDING', 'PENDING', 'PENDING', 'AUTHORIZED']);
  });
});

describe('undoing', () => {
  it('an authorized charge is voided once, however often it is told', async () => {
    const given = payment('pm_card_visa', { provider: 'acme' });
    await run('authorize', given);
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'VOIDED', provider: 'acme' });
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'VOIDED' });
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'VOIDED' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'voided', calls: { void: 2 } });
  });

  it('pm_sim_void_fail_2 fails two voids with no effect and takes the third', async () => {
    const given = payment('pm_sim_void_fail_2', { provider: 'acme' });
    await run('authorize', given);
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'UNKNOWN' });
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'UNKNOWN' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ status: 'authorized' });
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'VOIDED' });
  });

  it('a captured charge is not voided', async () => {
    const given = payment('pm_card_visa', { provider: 'acme', method: 'credit_card' });
    await run('authorize', given);
    expect(await run('capture', given)).toMatchObject({ gateway_status: 'CAPTURED' });
    expect(await run('capture', given)).toMatchObject({ gateway_status: 'CAPTURED' });
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'VOID_FAILED', reason: 'charge_captured' });
    expect(await charge('acme', given.payment_id)).toMatchObject({
      status: 'captured',
      calls: { capture: 2, void: 1 },
    });
  });

  it('a charge that the provider does not know is absent to a void and a riddle to a capture', async () => {
    const given = payment('pm_card_visa', { provider: 'acme' });
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'ABSENT' });
    expect(await run('capture', given)).toMatchObject({ gateway_status: 'UNKNOWN' });
    expect(await run('refund', given)).toMatchObject({ gateway_status: 'UNKNOWN' });
  });
});

describe('refunds', () => {
  const captured = async (token: string) => {
    const given = payment(token, { provider: 'acme', method: 'credit_card' });
    await run('authorize', given);
    await run('capture', given);
    return given;
  };
  const refundId = () => newPaymentId().replace('pay_', 'ref_');

  it('give back at most what was captured, each refund once', async () => {
    const given = await captured('pm_card_visa');
    const first = { ...given, refund_id: refundId(), amount: 1_000 };
    expect(await run('refund', first)).toMatchObject({ gateway_status: 'REFUNDED' });
    expect(await run('refund', first)).toMatchObject({ gateway_status: 'REFUNDED' });
    const above = { ...given, refund_id: refundId(), amount: 231 };
    expect(await run('refund', above)).toMatchObject({
      gateway_status: 'REFUND_FAILED',
      reason: 'amount_exceeds_charge',
    });
    const rest = { ...given, refund_id: refundId(), amount: 230 };
    expect(await run('refund', rest)).toMatchObject({ gateway_status: 'REFUNDED' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ refundedMinor: 1_230, refundingMinor: 0 });
  });

  it('on their way count against what is left', async () => {
    const given = await captured('pm_card_pendingRefund');
    const whole = { ...given, refund_id: refundId() };
    expect(await run('refund', whole)).toMatchObject({ gateway_status: 'PENDING' });
    const another = { ...given, refund_id: refundId(), amount: 1 };
    expect(await run('refund', another)).toMatchObject({ reason: 'amount_exceeds_charge' });
  });

  it('are refused for a card charge that was never captured, and for a voided one', async () => {
    const given = payment('pm_card_visa', { provider: 'acme', method: 'credit_card' });
    await run('authorize', given);
    expect(await run('refund', given)).toMatchObject({ gateway_status: 'REFUND_FAILED', reason: 'charge_authorized' });
    await run('unauthorize', given);
    expect(await run('refund', { ...given, refund_id: refundId() })).toMatchObject({ reason: 'charge_voided' });
  });

  it("are taken for a wallet's sale, which is confirmed as a whole", async () => {
    const given = payment('pm_card_visa', { provider: 'acme' });
    await run('authorize', given);
    expect(await run('refund', { ...given, refund_id: refundId() })).toMatchObject({ gateway_status: 'REFUNDED' });
    expect(await run('unauthorize', given)).toMatchObject({ gateway_status: 'VOID_FAILED', reason: 'charge_refunded' });
  });

  it.each([
    ['pm_card_pendingRefund', 'REFUNDED', 1_230],
    ['pm_sim_refund_no_callback', 'REFUNDED', 1_230],
  ])('%s is pending at first and %s in the end', async (token, status, refundedMinor) => {
    stopClock();
    const given = { ...(await captured(token)), refund_id: refundId() };
    expect(await run('refund', given)).toMatchObject({ gateway_status: 'PENDING' });
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'PENDING' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ refundedMinor: 0, refundingMinor: 1_230 });
    pass(1_000);
    expect(await run('lookup', given)).toMatchObject({ operation: 'lookup', gateway_status: status });
    // Told again, the refund is asked about: its key would answer "pending" for ever.
    expect(await run('refund', given)).toMatchObject({ gateway_status: status });
    expect(await charge('acme', given.payment_id)).toMatchObject({ refundedMinor, refundingMinor: 0 });
  });

  it('pm_card_refundFail is given at first, and REFUND_FAILED in the end: a success that does not last', async () => {
    stopClock();
    const given = { ...(await captured('pm_card_refundFail')), refund_id: refundId() };
    expect(await run('refund', given)).toMatchObject({ gateway_status: 'REFUNDED' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ refundedMinor: 1_230, refundingMinor: 0 });
    pass(1_000);
    expect(await run('lookup', given)).toMatchObject({ operation: 'lookup', gateway_status: 'REFUND_FAILED' });
    expect(await charge('acme', given.payment_id)).toMatchObject({ refundedMinor: 0, refundingMinor: 0 });
  });

  it('pm_sim_refund_timeout gives back, answers nothing, and is found by look-up', async () => {
    const given = { ...(await captured('pm_sim_refund_timeout')), refund_id: refundId() };
    expect(await run('refund', given)).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'timeout' });
    expect(await run('lookup', given)).toMatchObject({ gateway_status: 'REFUNDED' });
  });
});

describe('a seed', () => {
  it('tells the same story every time', async () => {
    for (const seed of [1, 2, 7]) {
      const tell = async () => {
        const given = payment(`pm_sim_seed_${seed}`);
        const { gateway_status: status, decline_code: code, reason } = await run('authorize', given);
        return { status, code, reason };
      };
      expect(await tell()).toEqual(await tell());
    }
  });
});
