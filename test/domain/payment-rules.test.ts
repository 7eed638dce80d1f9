/** What single rules of the payment saga ask and learn, where whole sagas meet them with one late authorization at a time. */
import { describe, expect, test } from 'vitest';
import type { LateAuthorization, PaymentData } from '../../src/domain/payment.ts';
import {
  found,
  lateNotUndone,
  lateUndone,
  lateUndoneAgain,
  ranOutOfTime,
  routeOf,
  turnBack,
  walletHoldsNothing,
  withPassedOver,
} from '../../src/domain/saga/payment-rules.ts';
import type { PaymentContext } from '../../src/domain/saga/payment-types.ts';
import { paymentData, SagaDriver } from '../support/saga.ts';

const at = (provider: string | null, more: Partial<LateAuthorization> = {}): LateAuthorization => ({
  provider,
  reference: `ch_${provider}`,
  captured: false,
  ...more,
});
const SPENT = at('acme', { notUndone: 'spent' });
const REFUSED = at('borealis', { notUndone: 'refused' });
const PENDING = at('third');

const dataWith = (...late: LateAuthorization[]): PaymentData => ({ ...paymentData(), late });
const lateOf = ({ late }: PaymentData) => late.map(({ provider, notUndone }) => [provider, notUndone]);

function context(data: Partial<PaymentData> = {}, more: Partial<PaymentContext> = {}): PaymentContext {
  const driver = new SagaDriver();
  const saga = { ...driver.saga, data: { ...driver.saga.data, ...data } };
  return { ...driver.context(), saga, fact: null, command: null, ...more };
}

const answeredBy = (provider: string): Partial<PaymentContext> => ({
  fact: {
    event_type: 'payment_gateway.response',
    payload: { payment_id: 'pay_1', operation: 'void', gateway_status: 'VOID_FAILED', provider },
  } as PaymentContext['fact'],
});

/** Undoings at these were given up, and are kept. */
function givenUpAt(...providers: readonly string[]): PaymentContext {
  const given = context();
  const spent = providers.map((provider) => ({
    ...given.saga.pending[0],
    name: 'undo_late',
    event: { payload: { provider } },
  })) as unknown as PaymentContext['saga']['spent'];
  return { ...given, saga: { ...given.saga, ...(spent && { spent }) } };
}

describe('undoing late authorizations again', () => {
  test('is of all whose undoing was given up, and of none that was refused or is under way', () => {
    const data = dataWith(SPENT, REFUSED, PENDING, { ...SPENT, provider: 'fourth' });
    const again = lateUndoneAgain(data, givenUpAt('acme', 'fourth'));
    expect(lateOf(again)).toEqual([
      ['acme', undefined],
      ['borealis', 'refused'],
      ['third', undefined],
      ['fourth', undefined],
    ]);
    expect(again.late[0]).toStrictEqual(at('acme'));
  });

  test('is of one that was refused at a time: the first, which becomes the newest', () => {
    const other = { ...REFUSED, provider: 'fourth' };
    const again = lateUndoneAgain(dataWith(PENDING, REFUSED, other), context());
    expect(lateOf(again)).toEqual([
      ['third', undefined],
      ['fourth', 'refused'],
      ['borealis', undefined],
    ]);
    expect(again.late.at(-1)).toStrictEqual(at('borealis'));
    expect(lateOf(lateUndoneAgain(again, context())).map(([provider]) => provider)).toEqual([
      'third',
      'borealis',
      'fourth',
    ]);
  });

  test('unmarks none that nothing is sent for: what was kept of another provider, undone since, is all that is sent', () => {
    const data = dataWith(at('acme', { undone: 'voided' }), REFUSED);
    expect(lateOf(lateUndoneAgain(data, givenUpAt('acme')))).toEqual([
      ['acme', undefined],
      ['borealis', 'refused'],
    ]);
  });

  test('is nothing where none is left', () => {
    const data = dataWith(PENDING);
    expect(lateUndoneAgain(data, context())).toBe(data);
  });
});

describe('the outcome of an undoing', () => {
  test('is learnt of the authorization at its provider, and of no other', () => {
    const data = dataWith(SPENT, REFUSED);
    expect(lateOf(lateUndone(data, context({}, answeredBy('borealis'))))).toEqual([
      ['acme', 'spent'],
      ['borealis', undefined],
    ]);
    expect(lateOf(lateNotUndone('refused')(data, context({}, answeredBy('acme'))))).toEqual([
      ['acme', 'refused'],
      ['borealis', 'refused'],
    ]);
  });
});

describe('a route', () => {
  test('leaves out where an authorization came late, and nothing for one that no provider is known of', () => {
    const first = routeOf(dataWith());
    const after = routeOf(dataWith(at(first.provider)));
    expect(after.provider).not.toBe(first.provider);
    expect(routeOf(dataWith(at(null)))).toEqual(first);
  });

  test('passes over the provider that was asked, with what it said; nobody, where none was', () => {
    expect(withPassedOver({ ...paymentData(), provider: 'acme' }, context())).toEqual([
      { provider: 'acme', reason: 'not_sent' },
    ]);
    const before = [{ provider: 'acme', reason: 'undone' }];
    expect(withPassedOver({ ...paymentData(), passedOver: before }, context())).toEqual(before);
  });
});

describe('a guard', () => {
  test('takes only the wallet’s own word that it holds nothing', () => {
    const holds = (releaseRefusal?: string) =>
      walletHoldsNothing(context(releaseRefusal === undefined ? {} : { releaseRefusal }));
    expect(['hold_not_found', 'hold_resolved', 'wallet_frozen', undefined].map(holds)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test('tells a payment that failed for want of a provider from one that has not failed', () => {
    expect(ranOutOfTime(context())).toBe(false);
    expect(ranOutOfTime(context({ failure: { code: 'gateway_unavailable', message: 'no' } }))).toBe(true);
    expect(ranOutOfTime(context({ failure: { code: 'gateway_declined', message: 'no' } }))).toBe(false);
  });
});

test('turning back fails a card at once, and gives a hold back first, each only when the rule holds', () => {
  const card = context({ request: { ...paymentData().request, method: 'credit_card' } });
  const [cards, holds] = turnBack({ count: 'metrics.payment.failure' });
  expect([cards?.to, cards?.count, holds?.to, holds?.count]).toEqual([
    'failed',
    'metrics.payment.failure',
    'releasing_funds',
    'metrics.payment.failure',
  ]);
  expect([cards?.when?.(card), cards?.when?.(context()), holds?.when]).toEqual([true, false, undefined]);
  const [never, neither] = turnBack({ when: () => false });
  expect([never?.when?.(card), neither?.when?.(card)]).toEqual([false, false]);
});

test('what a person found is learnt, and nothing where nobody says', () => {
  const data = { ...paymentData(), providerReference: 'ch_1' };
  expect(found(data, context()).providerReference).toBe('ch_1');
  const move = { kind: 'resolve', actor: 'jane', reason: 'seen', providerReference: 'ch_2' } as const;
  expect(found(data, context({}, { move })).providerReference).toBe('ch_2');
});
