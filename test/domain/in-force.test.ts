/** What of a saga's effects stands, as a person who must decide is told: state by state, and each source of it by itself. */
import { describe, expect, test } from 'vitest';

import type { PaymentData } from '../../src/domain/payment.ts';
import type { RefundData } from '../../src/domain/refund.ts';
import { paymentInForce, refundInForce } from '../../src/domain/saga/in-force.ts';
import {
  PAYMENT_ATTENTIONS,
  PAYMENT_STATES,
  type PaymentCommand,
  type PaymentSagaValue,
} from '../../src/domain/saga/payment-types.ts';
import { REFUND_STATES, type RefundCommand, type RefundSagaValue } from '../../src/domain/saga/refund-types.ts';
import type { PendingCommand, Saga } from '../../src/domain/saga/table.ts';
import { RefundDriver } from '../support/refund-saga.ts';
import { SagaDriver, START_MS, triedInVain } from '../support/saga.ts';

const LOST = { gateway_status: 'UNKNOWN' } as const;
const CARD = { method: 'credit_card', token: 'pm_card_visa' } as const;

/** Any envelope: that there is one says that the command was put into the log. */
const [EVENT = null] = new SagaDriver().events;

function command<Name extends string>(name: Name, changes: Partial<PendingCommand<Name>> = {}): PendingCommand<Name> {
  return {
    name,
    event: EVENT,
    attempts: 1,
    firstSentAtMs: START_MS,
    allHeard: true,
    heard: false,
    dueAtMs: START_MS,
    ...changes,
  };
}

/** What is known of an effect's end, under any effect id, after one that says nothing of it. */
const settled = (...words: readonly string[]): Pick<Saga, 'settled'> => ({
  settled: Object.fromEntries(['notify:done', ...words].map((word, index) => [`effect-${index}`, word])),
});

test('a command of these tests is in the log', () => {
  expect(command('hold').event?.event_type).toBe('payment.created');
});

describe("a payment's hold", () => {
  const BLANK: PaymentSagaValue = { ...new SagaDriver().saga, pending: [], settled: {} };
  const hold = (changes: Partial<PaymentSagaValue>) => paymentInForce({ ...BLANK, ...changes }).hold;
  const pending = (name: PaymentCommand) => ({ pending: [command('notify'), command(name)] });
  const spent = (name: PaymentCommand) => ({ spent: [command('notify'), command(name)] });
  const scheduled = (name: PaymentCommand) => ({ pending: [command(name, { event: null, attempts: 0 })] });

  test('is none before it is asked for, and unknown from then on', () => {
    expect(hold({})).toBe('none');
    expect(hold(scheduled('hold'))).toBe('none');
    expect(hold(pending('hold'))).toBe('unknown');
    expect(hold(spent('hold'))).toBe('unknown');
    // What else is asked for says nothing of it.
    for (const name of ['authorize', 'lookup', 'capture', 'unauthorize', 'refund', 'undo_late', 'notify'] as const) {
      expect(hold(pending(name)), name).toBe('none');
    }
  });

  test('is held once the wallet has said so, until it is asked for what ends it', () => {
    expect(hold(settled('hold:done'))).toBe('held');
    expect(hold({ ...settled('hold:done'), ...pending('hold') })).toBe('held');
    for (const name of ['release', 'debit'] as const) {
      expect(hold({ ...settled('hold:done'), ...scheduled(name) }), name).toBe('held');
      expect(hold({ ...settled('hold:done'), ...pending(name) }), name).toBe('unknown');
      expect(hold({ ...settled('hold:done'), ...spent(name) }), name).toBe('unknown');
    }
    expect(hold(settled('hold:refused'))).toBe('none');
    expect(hold(settled('hold:done', 'release:refused'))).toBe('held');
    expect(hold(settled('hold:done', 'debit:refused'))).toBe('held');
  });

  test('is released, or debited, once the wallet has said so, whatever else is asked', () => {
    for (const busy of [{}, pending('release'), spent('release'), pending('debit'), pending('hold')]) {
      expect(hold({ ...settled('hold:done', 'release:done'), ...busy })).toBe('released');
      expect(hold({ ...settled('hold:done', 'debit:done'), ...busy })).toBe('debited');
    }
    expect(hold(settled('debit:done', 'release:done'))).toBe('released');
    expect(hold(settled('release:done'))).toBe('released');
    expect(hold(settled('debit:done'))).toBe('debited');
  });
});

describe("a payment's charge", () => {
  const BLANK: PaymentSagaValue = { ...new SagaDriver().saga, pending: [], settled: {} };
  const charge = (changes: Partial<PaymentSagaValue>, data: Partial<PaymentData> = {}) =>
    paymentInForce({ ...BLANK, ...changes, data: { ...BLANK.data, ...data } }).charge;

  test('is by the state, and by whether it was captured', () => {
    const charges = PAYMENT_STATES.map((state) => [state, charge({ state }), charge({ state }, { captured: true })]);
    expect(charges).toEqual([
      ['holding_funds', 'none', 'none'],
      ['authorizing', 'unknown', 'unknown'],
      ['authorization_unknown', 'unknown', 'unknown'],
      ['capturing', 'authorized, capture unknown', 'authorized, capture unknown'],
      ['debiting', 'authorized', 'captured'],
      ['releasing_funds', 'none', 'none'],
      ['compensating', 'authorized', 'captured'],
      ['completed', 'authorized', 'captured'],
      ['failed', 'none', 'none'],
      ['needs_attention', 'authorized', 'captured'],
    ]);
  });

  test('is by the reason, where a person is needed', () => {
    const charges = PAYMENT_ATTENTIONS.map((attentionReason) => [
      attentionReason,
      charge({ state: 'needs_attention' }, { attentionReason }),
      charge({ state: 'needs_attention' }, { attentionReason, captured: true }),
    ]);
    expect(charges).toEqual([
      ['authorization_unknown', 'unknown', 'unknown'],
      ['capture_unknown', 'authorized, capture unknown', 'authorized, capture unknown'],
      ['release_refused', 'none', 'none'],
      ['compensation_failed', 'authorized', 'captured'],
      ['late_authorization_in_force', 'none', 'none'],
    ]);
  });

  test('is not by a reason that is over', () => {
    expect(charge({ state: 'failed' }, { attentionReason: 'capture_unknown' })).toBe('none');
    expect(charge({ state: 'debiting' }, { attentionReason: 'capture_unknown' })).toBe('authorized');
  });

  test('is undone once a void or a refund is done, whatever the state', () => {
    for (const state of PAYMENT_STATES) {
      expect(charge({ state, ...settled('unauthorize:done') }), state).toBe('undone');
      expect(charge({ state, ...settled('refund:done') }, { captured: true }), state).toBe('undone');
    }
    for (const word of ['unauthorize:refused', 'unauthorize:spent', 'refund:refused', 'undo_late:done']) {
      expect(charge({ state: 'compensating', ...settled(word) }), word).toBe('authorized');
    }
  });
});

describe('a payment', () => {
  test('that has gone through is debited and authorized', () => {
    const saga = new SagaDriver();
    const seen = () => [paymentInForce(saga.saga).hold, paymentInForce(saga.saga).charge];
    expect(seen()).toEqual(['unknown', 'none']);
    saga.wallet('hold');
    expect(seen()).toEqual(['held', 'unknown']);
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED', provider_reference: 'ch_1' });
    expect(seen()).toEqual(['unknown', 'authorized']);
    saga.wallet('debit');
    expect(paymentInForce(saga.saga)).toEqual({
      wallet_id: 'wal-1',
      hold: 'debited',
      charge: 'authorized',
      provider: 'acme',
      provider_reference: 'ch_1',
      late: [],
    });
  });

  test('that was turned back has nothing in force', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED' });
    saga.wallet('debit', 'hold_resolved');
    expect(paymentInForce(saga.saga)).toMatchObject({ hold: 'unknown', charge: 'authorized' });
    saga.wallet('release');
    expect(paymentInForce(saga.saga)).toMatchObject({ hold: 'released', charge: 'authorized' });
    saga.gateway('unauthorize', { gateway_status: 'VOIDED' });
    expect(paymentInForce(saga.saga)).toMatchObject({ hold: 'released', charge: 'undone' });
  });

  test('whose authorization nobody answered for waits for a person with its hold', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', LOST);
    saga.closeWindow();
    expect(saga.saga.state).toBe('needs_attention');
    expect(paymentInForce(saga.saga)).toMatchObject({ hold: 'held', charge: 'unknown' });
  });

  test('by card has no hold, and an answer to its capture is waited for', () => {
    const saga = new SagaDriver(CARD);
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED', provider_reference: 'ch_1' });
    saga.gateway('capture', LOST);
    triedInVain(saga);
    expect(saga.saga.state).toBe('needs_attention');
    expect(paymentInForce(saga.saga)).toMatchObject({ hold: 'none', charge: 'authorized, capture unknown' });
  });

  test('that begins has no provider, and names its own wallet', () => {
    const { saga } = new SagaDriver({ wallet_id: 'wal-2' });
    expect(paymentInForce(saga)).toEqual({
      wallet_id: 'wal-2',
      hold: 'unknown',
      charge: 'none',
      provider: null,
      provider_reference: null,
      late: [],
    });
  });

  test('lists what came to light late, and why it was not undone where it was not', () => {
    const late = [
      { provider: 'acme', reference: 'ch_1', captured: false },
      { provider: null, reference: null, captured: true, notUndone: 'spent' },
      { provider: 'bolt', reference: 'ch_2', captured: true, notUndone: 'refused' },
    ] as const;
    const { saga } = new SagaDriver({}, { late });
    expect(paymentInForce(saga).late).toStrictEqual([
      { provider: 'acme', reference: 'ch_1', captured: false },
      { provider: null, reference: null, captured: true, not_undone: 'spent' },
      { provider: 'bolt', reference: 'ch_2', captured: true, not_undone: 'refused' },
    ]);
  });
});

const RESERVED = new RefundDriver().saga;
const EMPTY: RefundSagaValue = { ...RESERVED, pending: [], settled: {} };
const inForce = (changes: Partial<RefundSagaValue>, data: Partial<RefundData> = {}) =>
  refundInForce({ ...EMPTY, ...changes, data: { ...EMPTY.data, ...data } });
const out = (name: RefundCommand) => ({ pending: [command('notify'), command(name)] });
const givenUp = (name: RefundCommand) => ({ spent: [command('notify'), command(name)] });
const planned = (name: RefundCommand) => ({ pending: [command(name, { event: null, attempts: 0 })] });

describe('what a refund was lent', () => {
  test("is its payment's, or nothing before that has answered", () => {
    expect(inForce({})).toEqual({
      wallet_id: 'wal-1',
      reserved: 500,
      refund: 'none',
      credit: 'none',
      provider: 'acme',
      provider_reference: 'ch_1',
    });
    expect(inForce({}, { payment: null })).toEqual({
      wallet_id: null,
      reserved: null,
      refund: 'none',
      credit: 'none',
      provider: null,
      provider_reference: null,
    });
    expect(refundInForce(new RefundDriver('balance', {}, {}).saga)).toMatchObject({
      provider: null,
      provider_reference: null,
    });
  });
});

describe("a refund's refund", () => {
  const refund = (changes: Partial<RefundSagaValue>, data: Partial<RefundData> = {}) => inForce(changes, data).refund;

  test('is none before the provider is asked, and unknown from then on', () => {
    expect(refund({})).toBe('none');
    expect(refund(planned('refund'))).toBe('none');
    expect(refund(out('refund'))).toBe('unknown');
    expect(refund(givenUp('refund'))).toBe('unknown');
    expect(refund({}, { unknownSinceMs: 0 })).toBe('unknown');
    for (const name of ['reserve', 'lookup', 'credit', 'reverse', 'settle', 'notify'] as const) {
      expect(refund(out(name)), name).toBe('none');
    }
  });

  test('is none once it has failed', () => {
    expect(refund({ state: 'failed' })).toBe('none');
    expect(refund({ state: 'failed', ...out('refund') })).toBe('none');
    expect(refund({ state: 'failed' }, { unknownSinceMs: START_MS })).toBe('none');
    expect(refund(settled('refund:refused'))).toBe('none');
  });

  test('is refunded by the word of the provider, or by what follows from it alone', () => {
    for (const word of ['refund:done', 'credit:done', 'credit:refused']) {
      expect(refund(settled(word)), word).toBe('refunded');
      expect(refund({ ...settled(word), ...out('refund') }, { unknownSinceMs: START_MS }), word).toBe('refunded');
      expect(refund({ ...settled(word), state: 'failed' }), word).toBe('refunded');
    }
    for (const word of ['reverse:done', 'reverse:refused', 'settle:done', 'reserve:done', 'refund:spent']) {
      expect(refund(settled(word)), word).toBe('none');
    }
    const refunds = REFUND_STATES.filter((state) => refund({ state }) === 'refunded');
    expect(refunds).toEqual(['completed']);
  });

  test('is taken back once the provider has said no after its yes', () => {
    for (const word of ['refund:done', 'credit:done', 'credit:refused']) {
      expect(refund(settled(word, 'refund:refused')), word).toBe('taken_back');
    }
    expect(refund({ state: 'completed', ...settled('refund:refused') })).toBe('taken_back');
    expect(refund({}, { takenBack: true })).toBe('taken_back');
    expect(refund({ state: 'failed' }, { takenBack: true })).toBe('taken_back');
  });
});

describe("a refund's credit", () => {
  const credit = (changes: Partial<RefundSagaValue>) => inForce(changes).credit;

  test('is none before the wallet is asked, and unknown from then on', () => {
    expect(credit({})).toBe('none');
    expect(credit(planned('credit'))).toBe('none');
    expect(credit(out('credit'))).toBe('unknown');
    expect(credit(givenUp('credit'))).toBe('unknown');
    expect(credit(settled('credit:refused'))).toBe('none');
    for (const name of ['reserve', 'refund', 'lookup', 'reverse', 'settle', 'notify'] as const) {
      expect(credit(out(name)), name).toBe('none');
    }
  });

  test('is credited, and reversed, by the word of the wallet', () => {
    expect(credit(settled('credit:done'))).toBe('credited');
    expect(credit({ ...settled('credit:done'), ...out('credit') })).toBe('credited');
    expect(credit({ ...settled('credit:done'), ...out('reverse') })).toBe('credited');
    expect(credit(settled('credit:done', 'reverse:refused'))).toBe('credited');
    expect(credit(settled('credit:done', 'reverse:done'))).toBe('reversed');
    expect(credit(settled('reverse:done'))).toBe('none');
  });
});

describe('a refund', () => {
  const seen = ({ saga }: RefundDriver) => [refundInForce(saga).refund, refundInForce(saga).credit];

  test('that goes through is refunded and credited; taken back, it is reversed', () => {
    const refund = new RefundDriver();
    expect(seen(refund)).toEqual(['unknown', 'none']);
    refund.gateway('refund', 'REFUNDED');
    expect(seen(refund)).toEqual(['refunded', 'unknown']);
    refund.wallet('credit');
    expect(seen(refund)).toEqual(['refunded', 'credited']);
    refund.gateway('refund', 'REFUND_FAILED');
    expect(seen(refund)).toEqual(['taken_back', 'credited']);
    refund.wallet('reverse');
    expect(seen(refund)).toEqual(['taken_back', 'reversed']);
  });

  test('that the provider declines is none, and one that the wallet refuses is not credited', () => {
    const declined = new RefundDriver();
    declined.gateway('refund', 'REFUND_FAILED');
    expect(seen(declined)).toEqual(['none', 'none']);
    const refused = new RefundDriver();
    refused.gateway('refund', 'REFUNDED');
    refused.wallet('credit', 'wallet_frozen');
    expect(seen(refused)).toEqual(['refunded', 'none']);
  });

  test('that nobody answered for is unknown', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    expect(refund.saga.state).toBe('refund_unknown');
    expect(seen(refund)).toEqual(['unknown', 'none']);
  });
});
