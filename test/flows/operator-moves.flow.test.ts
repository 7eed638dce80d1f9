/**
 * Every reason for which a saga needs a person, reached by the sandbox's own tokens with messages lost and the clock moved,
 * and then what a person does about it: the wallet's ledger, the provider's books and the record agree in the end.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { sagaStub } from '../../src/stubs.ts';
import { loseAll, loseMessages } from '../support/losses.ts';
import {
  call,
  chargeOf,
  createPayment,
  entries,
  freshKey,
  json,
  openWallet,
  provider,
  terminal,
  timeline,
  until,
  wallet,
} from '../support/payments.ts';
import { BY, inState, mend, pass, post, recorded, resolve, retry, saga, spoil } from '../support/stuck.ts';

const FUNDS = 5_000;
const WINDOW_MS = SAGA_POLICIES.sandbox.lateWindowMs;
const BUDGET_MS = SAGA_POLICIES.sandbox.compensationBudgetMs;
/** After so long an undoing is given up: where the provider has answered it, and where nobody ever has (decision 0091). */
const ANSWERED_MS = BUDGET_MS + MINUTE_MS;
const UNHEARD_MS = WINDOW_MS + HOUR_MS;

beforeAll(async () => {
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force('closed');
});
afterEach(() => loseMessages(null));

let wallets = 0;
async function pay(body: Record<string, unknown>): Promise<{ id: string; walletId: string }> {
  wallets += 1;
  const walletId = `moves-${wallets}`;
  await openWallet(walletId, FUNDS);
  const { id } = await createPayment({ wallet_id: walletId, amount: 500, ...body });
  return { id, walletId };
}

async function refundOf(paymentId: string): Promise<string> {
  const response = await call('/refunds', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('refund') },
    body: JSON.stringify({ payment_id: paymentId }),
  });
  expect(response.status).toBe(202);
  return (await response.json<RefundView>()).id;
}

async function needs(id: string, reason: string): Promise<void> {
  const found = await until(
    () => saga(id),
    ({ attention }) => attention !== null,
  );
  expect(found.attention?.reason).toBe(reason);
  const row = await until(
    () =>
      env.DB.prepare(`SELECT attention FROM ${id.startsWith('ref_') ? 'refunds' : 'payments'} WHERE id = ?`)
        .bind(id)
        .first<{ attention: string | null }>(),
    (each) => each?.attention === reason,
  );
  expect(row).toEqual({ attention: reason });
}

/** An authorization whose outcome nobody has said when the late window closes. */
async function unknownPayment(body: Record<string, unknown> = {}): Promise<{ id: string; walletId: string }> {
  const paid = await pay({ token: 'pm_sim_lost', ...body });
  await inState(paid.id, 'authorization_unknown');
  await pass(paid.id, UNHEARD_MS);
  await needs(paid.id, 'authorization_unknown');
  return paid;
}

/** Three books: the status, the types of the ledger's entries, what is at the provider; and the record says the same. */
async function books(id: string, walletId: string) {
  const payment = await terminal(id);
  await until(
    () => recorded(id, payment.saga_state),
    (row) => row?.status === payment.status && row.attention === null,
  );
  const ledger = (await entries(walletId)).map(({ type }) => type).slice(1);
  const { held } = await wallet(walletId);
  return [payment.status, ...ledger, held, (await chargeOf(id))?.status ?? null];
}

const lastFact = async (id: string, type: string) => {
  const { data } = await json<{ data: { event_type: string; payload: Record<string, unknown> }[] }>(
    `/payments/${id}/events`,
  );
  return data.findLast((event) => event.event_type === type)?.payload;
};

describe('authorization_unknown', () => {
  test('resolved as charged goes on: the wallet is debited, and the move is in the log and in the audit log', async () => {
    const { id, walletId } = await unknownPayment();
    const { ledger_effect, saga: after } = await resolve(id, 'charged', { provider_reference: 'ch_by_phone' });
    expect(ledger_effect.status).toBe('entries');
    expect(ledger_effect.entries.map(({ type, payment_id }) => [type, payment_id])).toEqual([['debit', id]]);
    expect(after).toMatchObject({ saga_state: 'completed', attention: null, payment: { status: 'COMPLETED' } });
    expect(await books(id, walletId)).toEqual(['COMPLETED', 'hold', 'debit', 0, 'authorized']);
    const said = {
      attention: 'authorization_unknown',
      resolution: 'charged',
      provider_reference: 'ch_by_phone',
      ...BY,
    };
    expect(await lastFact(id, 'payment.resolved')).toEqual({ payment_id: id, ...said });
    const audit = await env.DB.prepare('SELECT actor, action, subject, reason FROM audit_log WHERE subject LIKE ?')
      .bind(`${id}%`)
      .all();
    expect(audit.results).toEqual([
      { actor: 'jane', action: 'saga.resolve', subject: `${id} charged`, reason: 'ticket-7' },
    ]);
  });

  test('resolved as charged for a card is captured at the provider', async () => {
    const { id, walletId } = await unknownPayment({ method: 'credit_card' });
    const { ledger_effect } = await resolve(id, 'charged');
    expect(ledger_effect).toEqual({ status: 'none', entries: [] });
    expect(await books(id, walletId)).toEqual(['COMPLETED', 0, 'captured']);
  });

  test('resolved as not charged gives the hold back; a person who was wrong is put right by undoing it late', async () => {
    const { id, walletId } = await unknownPayment();
    const { ledger_effect } = await resolve(id, 'not_charged');
    expect(ledger_effect.entries.map(({ type }) => type)).toEqual(['release']);
    expect(await terminal(id)).toMatchObject({ status: 'FAILED', failure: { code: 'gateway_unavailable' } });

    const { isAllLost } = loseAll('orchestrator.gateway.unauthorize');
    await sayAuthorized(id);
    await until(
      () => saga(id),
      ({ pending }) => pending.some(({ command, attempts }) => command === 'undo_late' && isAllLost(id, attempts)),
    );
    await pass(id, UNHEARD_MS);
    await needs(id, 'late_authorization_in_force');
    expect((await chargeOf(id))?.status).toBe('authorized');
    const { given_up: givenUp } = await saga(id);
    expect(givenUp).toHaveLength(1);

    loseMessages(null);
    const { saga: after } = await retry(id);
    // It may have acted: it is the same effect, under the same id.
    expect(after.status).toBe('FAILED');
    await until(
      () => chargeOf(id),
      (charge) => charge?.status === 'voided',
    );
    expect(await books(id, walletId)).toEqual(['FAILED', 'hold', 'release', 0, 'voided']);
    const ids = (await timeline(id)).filter((type) => type === 'orchestrator.gateway.unauthorize');
    expect(ids).toHaveLength(1);
  });

  test('retried is looked up again on a fresh schedule, within a fresh window', async () => {
    const { id } = await unknownPayment();
    const before = (await chargeOf(id))?.calls.lookup ?? 0;
    const { ledger_effect, saga: after } = await retry(id);
    expect(ledger_effect.status).toBe('pending');
    expect(after).toMatchObject({ saga_state: 'authorization_unknown', attention: null });
    // Seconds, not a minute: the schedule begins anew.
    await until(
      () => chargeOf(id),
      (charge) => (charge?.calls.lookup ?? 0) >= before + 2,
      20_000,
    );
    await pass(id, WINDOW_MS - HOUR_MS);
    expect((await saga(id)).saga_state).toBe('authorization_unknown');
    await pass(id, 2 * HOUR_MS);
    await needs(id, 'authorization_unknown');
  });
});

/** The provider's late word, as a callback would bring it. */
async function sayAuthorized(id: string): Promise<void> {
  const charge = await chargeOf(id);
  await sagaStub(env, id)?.deliver([
    {
      effect_id: `orchestrator.gateway.authorize.${id}.1`,
      fact: {
        event_type: 'payment_gateway.response',
        payload: {
          payment_id: id,
          operation: 'authorize',
          gateway_status: 'AUTHORIZED',
          provider: 'acme',
          ...(charge !== null && { provider_reference: charge.id }),
        },
      },
    },
  ]);
}

describe('capture_unknown', () => {
  async function uncaptured() {
    const { isAllLost } = loseAll('orchestrator.gateway.capture');
    const paid = await pay({ method: 'credit_card', token: 'pm_card_visa' });
    await until(
      () => saga(paid.id),
      ({ pending }) => pending.some(({ command, attempts }) => command === 'capture' && isAllLost(paid.id, attempts)),
    );
    await pass(paid.id, UNHEARD_MS);
    await needs(paid.id, 'capture_unknown');
    loseMessages(null);
    return paid;
  }

  test('retried is captured once, under the same effect id', async () => {
    const { id, walletId } = await uncaptured();
    await retry(id);
    expect(await books(id, walletId)).toEqual(['COMPLETED', 0, 'captured']);
    expect((await timeline(id)).filter((type) => type === 'orchestrator.gateway.capture')).toHaveLength(1);
    expect((await chargeOf(id))?.calls.capture).toBe(1);
  });

  test('resolved as not captured is undone and fails', async () => {
    const { id, walletId } = await uncaptured();
    await resolve(id, 'not_captured');
    expect(await books(id, walletId)).toEqual(['FAILED', 0, 'voided']);
  });
});

test('release_refused: retried once the wallet is mended, under a new effect id, since a refused one stays refused', async () => {
  const { isAllLost } = loseAll('orchestrator.wallet.release_funds');
  const { id, walletId } = await pay({ token: 'pm_card_visa_chargeDeclined' });
  await until(
    () => saga(id),
    ({ pending }) => pending.some(({ command, attempts }) => command === 'release' && isAllLost(id, attempts)),
  );
  await spoil(walletId);
  loseMessages(null);
  await needs(id, 'release_refused');
  // Nothing says that the wallet holds nothing: it is a wallet's word that counts, not a person's.
  const refused = await post(`/ops/sagas/${id}/resolve`, { ...BY, resolution: 'nothing_held' });
  expect(await refused.json()).toMatchObject({ status: 409, code: 'saga_move_not_possible' });
  await retry(id);
  await needs(id, 'release_refused');
  await mend(walletId);
  const { ledger_effect } = await retry(id);
  expect(ledger_effect.entries).toMatchObject([
    { type: 'release', effect_id: `orchestrator.wallet.release_funds.${id}.r3` },
  ]);
  expect(await books(id, walletId)).toEqual(['FAILED', 'hold', 'release', 0, 'declined']);
});

describe('compensation_failed', () => {
  async function notUndone(token: string, afterMs: number) {
    const paid = await pay({ token });
    await until(
      () => saga(paid.id),
      ({ saga_state: state, pending }) =>
        state === 'compensating' && !pending.some(({ command }) => command === 'release'),
    );
    await pass(paid.id, afterMs);
    await needs(paid.id, 'compensation_failed');
    return paid;
  }

  test('retried tries only what failed: the hold is not released again, and the charge is voided once', async () => {
    loseAll('orchestrator.gateway.unauthorize');
    const { id, walletId } = await notUndone('pm_sim_void_fail_1', UNHEARD_MS);
    expect((await saga(id)).in_force).toMatchObject({ hold: 'released', charge: 'authorized' });
    loseMessages(null);
    const { ledger_effect } = await retry(id);
    expect(ledger_effect.entries).toEqual([]);
    expect(await books(id, walletId)).toEqual(['FAILED', 'hold', 'release', 0, 'voided']);
    expect((await timeline(id)).filter((type) => type === 'orchestrator.gateway.unauthorize')).toHaveLength(1);
  });

  test('resolved as undone by hand fails, with what else there was to undo done already', async () => {
    const { id, walletId } = await notUndone('pm_sim_void_fail_99', ANSWERED_MS);
    expect((await resolve(id, 'undone_by_hand')).ledger_effect.status).toBe('none');
    // The hand has not been here in this test: the books show what was stated, and reconciliation would find it.
    expect(await books(id, walletId)).toEqual(['FAILED', 'hold', 'release', 0, 'authorized']);
  });
});

describe('a refund', () => {
  async function paidBy(token: string) {
    const paid = await pay({ token });
    expect((await terminal(paid.id)).status).toBe('COMPLETED');
    return paid;
  }
  const refund = (id: string) => json<RefundView>(`/refunds/${id}`);
  const refundsAt = async (refundId: string) =>
    (await provider('acme').books({ limit: 500 })).refunds.filter(({ key }) => key.startsWith(refundId));
  const ledgerOf = async (walletId: string) => (await entries(walletId)).map(({ type }) => type).slice(1);

  async function unknownRefund() {
    const { id: paymentId, walletId } = await paidBy('pm_sim_refund_timeout');
    loseAll('orchestrator.gateway.lookup');
    const id = await refundOf(paymentId);
    await inState(id, 'refund_unknown');
    await pass(id, WINDOW_MS + HOUR_MS);
    await needs(id, 'refund_unknown');
    loseMessages(null);
    return { id, paymentId, walletId };
  }

  test('refund_unknown, retried, is found and credited once', async () => {
    const { id, paymentId, walletId } = await unknownRefund();
    await retry(id);
    await inState(id, 'completed');
    expect(await ledgerOf(walletId)).toEqual(['hold', 'debit', 'credit']);
    expect(await refundsAt(id)).toHaveLength(1);
    expect(await json<PaymentView>(`/payments/${paymentId}`)).toMatchObject({ refunded_amount: 500 });
    expect(await recorded(id, 'completed')).toEqual({ status: 'COMPLETED', saga_state: 'completed', attention: null });
  });

  test('refund_unknown, resolved as refunded, is credited; as not refunded, what was reserved is free again', async () => {
    const given = await unknownRefund();
    expect((await resolve(given.id, 'refunded')).ledger_effect.entries).toMatchObject([{ type: 'credit' }]);
    expect(await refund(given.id)).toMatchObject({ status: 'COMPLETED' });
    const kept = await unknownRefund();
    expect((await resolve(kept.id, 'not_refunded')).ledger_effect.status).toBe('none');
    expect(await refund(kept.id)).toMatchObject({ status: 'FAILED', failure: { code: 'refund_declined' } });
    expect(await ledgerOf(kept.walletId)).toEqual(['hold', 'debit']);
    // Free again: the whole can be asked for once more.
    await until(
      () => json<PaymentView>(`/payments/${kept.paymentId}`),
      ({ refunded_amount: refunded }) => refunded === 0,
    );
    await refundOf(kept.paymentId);
  });

  async function uncredited() {
    const { id: paymentId, walletId } = await paidBy('pm_card_visa');
    await spoil(walletId);
    const id = await refundOf(paymentId);
    await needs(id, 'credit_refused');
    return { id, paymentId, walletId };
  }

  test('credit_refused, retried once the wallet is mended, is credited once', async () => {
    const { id, walletId } = await uncredited();
    await mend(walletId);
    expect((await retry(id)).ledger_effect.entries).toMatchObject([
      { type: 'credit', effect_id: `orchestrator.wallet.credit.${id}.r2` },
    ]);
    expect(await refund(id)).toMatchObject({ status: 'COMPLETED' });
    expect(await ledgerOf(walletId)).toEqual(['hold', 'debit', 'credit']);
    expect(await refundsAt(id)).toHaveLength(1);
  });

  test('credit_refused, written off, is completed without the wallet', async () => {
    const { id, paymentId, walletId } = await uncredited();
    const { ledger_effect } = await resolve(id, 'written_off');
    expect(ledger_effect).toEqual({ status: 'none', entries: [] });
    expect(await refund(id)).toMatchObject({ status: 'COMPLETED' });
    await mend(walletId);
    expect(await ledgerOf(walletId)).toEqual(['hold', 'debit']);
    await until(
      () => json<PaymentView>(`/payments/${paymentId}`),
      ({ refunded_amount: refunded }) => refunded === 500,
    );
  });

  async function spent() {
    const { id: paymentId, walletId } = await paidBy('pm_card_refundFail');
    const { isAllLost } = loseAll('orchestrator.wallet.reverse_credit');
    const id = await refundOf(paymentId);
    await until(
      () => saga(id),
      ({ pending }) => pending.some(({ command, attempts }) => command === 'reverse' && isAllLost(id, attempts)),
    );
    // Everything is spent before the credit can be taken back.
    const { available } = await wallet(walletId);
    await terminal((await createPayment({ wallet_id: walletId, amount: available, token: 'pm_card_visa' })).id);
    loseMessages(null);
    await needs(id, 'credited_money_is_gone');
    return { id, paymentId, walletId };
  }

  test('credited_money_is_gone, retried once there is money again, is reversed', async () => {
    const { id, paymentId, walletId } = await spent();
    await call(`/wallets/${walletId}/deposits`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('deposit') },
      body: JSON.stringify({ amount: 500, currency: 'USD' }),
    });
    expect((await retry(id)).ledger_effect.entries).toMatchObject([{ type: 'reverse' }]);
    expect(await refund(id)).toMatchObject({ status: 'FAILED', failure: { code: 'refund_failed_after_success' } });
    await until(
      () => json<PaymentView>(`/payments/${paymentId}`),
      ({ refunded_amount: refunded }) => refunded === 0,
    );
  });

  test('credited_money_is_gone, written off, stays with the customer: completed, and told once', async () => {
    const { id, paymentId } = await spent();
    await resolve(id, 'written_off');
    expect(await refund(id)).toMatchObject({ status: 'COMPLETED' });
    const { data } = await json<{ data: { event_type: string }[] }>(`/refunds/${id}/events`);
    const types = data.map(({ event_type: type }) => type);
    expect(types.filter((type) => type === 'orchestrator.notify.refund_success')).toHaveLength(1);
    expect(types.filter((type) => type === 'metrics.refund.success')).toHaveLength(1);
    expect(await json<PaymentView>(`/payments/${paymentId}`)).toMatchObject({ refunded_amount: 500 });
    await recorded(id, 'completed');
  });

  test('refunded_after_failure is settled by hand: nothing is tried, and the status stays', async () => {
    const { id } = await unknownRefund();
    await resolve(id, 'not_refunded');
    await sagaStub(env, id)?.deliver([
      {
        effect_id: `orchestrator.gateway.refund.${id}.1`,
        fact: {
          event_type: 'payment_gateway.response',
          payload: { payment_id: 'pay_x', operation: 'refund', gateway_status: 'REFUNDED', provider: 'acme' },
        },
      },
    ]);
    await needs(id, 'refunded_after_failure');
    const tried = await post(`/ops/sagas/${id}/retry`, BY);
    expect(await tried.json()).toMatchObject({ code: 'saga_move_not_possible' });
    const { saga: after } = await resolve(id, 'settled_by_hand');
    expect(after).toMatchObject({ status: 'FAILED', attention: null });
    expect(await recorded(id, 'failed')).toMatchObject({ status: 'FAILED' });
  });
});
