/** Which effects a saga has asked for, which are done, and which were given up with no answer. */
import { describe, expect, test } from 'vitest';
import {
  askedFromTheStart,
  effectIdOf,
  effectIdOfIssue,
  isDone,
  isReissued,
  provesNothing,
  spentOf,
  withoutSpent,
  withSpent,
  withStated,
} from '../../src/domain/saga/effects.ts';
import { PAYMENT_COMMAND_SPECS } from '../../src/domain/saga/payment-commands.ts';
import { PAYMENT_SAGA } from '../../src/domain/saga/payment-saga.ts';
import type { PaymentCommand, PaymentSagaValue } from '../../src/domain/saga/payment-types.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import { PAYMENT_ID, SagaDriver } from '../support/saga.ts';

const begun = new SagaDriver().saga;
const AUTHORIZE = PAYMENT_COMMAND_SPECS.authorize;
/** Any number of times, each its own effect. */
const REPEATED = { ...AUTHORIZE, repeats: true, retriable: false };
/** Again when a person says so. */
const RETRIABLE = { ...AUTHORIZE, repeats: false, retriable: true };
const ONCE = { ...AUTHORIZE, repeats: false, retriable: false };
const TYPE = AUTHORIZE.type(begun.data, begun.state);

const issued = (count: number, settled: PaymentSagaValue['settled'] = {}): PaymentSagaValue => ({
  ...begun,
  issued: { authorize: count },
  settled,
});

/** The pending command of a new payment, under another name and effect id. */
function command(name: PaymentCommand, effectId: string): PendingCommand<PaymentCommand> {
  const [pending] = begun.pending;
  if (pending?.event == null) throw new Error('a payment begins with a command');
  const metadata = { ...pending.event.metadata, message_deduplication_id: effectId };
  return { ...pending, name, event: { ...pending.event, metadata } };
}

describe('an effect id', () => {
  test.each([
    ['the first of a command', ONCE, 1, ''],
    ['the first that a person may ask for again', RETRIABLE, 1, ''],
    ['the second of those', RETRIABLE, 2, '.r2'],
    ['the first of many', REPEATED, 1, '.1'],
    ['the third of many', REPEATED, 3, '.3'],
  ])('of %s', (_what, spec, n, suffix) => {
    const id = `${TYPE}.${PAYMENT_ID}${suffix}`;
    expect(effectIdOfIssue(PAYMENT_SAGA, begun, spec, n)).toBe(id);
    expect(effectIdOfIssue(PAYMENT_SAGA, issued(n), spec)).toBe(id);
  });

  test('of a command that was never issued is that of its first issue', () => {
    expect(effectIdOfIssue(PAYMENT_SAGA, { ...begun, issued: {} }, REPEATED)).toBe(`${TYPE}.${PAYMENT_ID}.1`);
  });

  test('of what is only scheduled is none', () => {
    expect(effectIdOf(command('authorize', 'e'))).toBe('e');
    expect(effectIdOf({ ...command('authorize', 'e'), event: null })).toBeNull();
  });

  test('may have older ones beside it when the command repeats, or a person may retry it', () => {
    expect([REPEATED, RETRIABLE, ONCE].map((spec) => isReissued(spec))).toEqual([true, true, false]);
  });
});

describe('that a sending reached nobody', () => {
  test.each([
    ['proves that the effect is not there, when it is the only one that is out', { allHeard: true }, false],
    ['proves nothing while another sending is out', { allHeard: false }, true],
    ['proves nothing once the effect has been answered', null, true],
  ])('%s', (_what, of, nothing) => {
    const pending = of === null ? null : { ...command('authorize', 'e'), ...of };
    expect(provesNothing({ command: pending })).toBe(nothing);
  });
});

describe('a command is done', () => {
  const id = (n: number) => effectIdOfIssue(PAYMENT_SAGA, begun, REPEATED, n);

  test.each([
    ['its newest issue was', 2, { [id(2)]: 'authorize:done' }, true],
    ['an older one was', 3, { [id(1)]: 'authorize:done' }, true],
    ['none was settled', 2, {}, false],
    ['one was refused', 2, { [id(2)]: 'authorize:refused' }, false],
    ['one was settled as another command', 2, { [id(2)]: 'capture:done' }, false],
    ['one was done that it has not issued', 1, { [id(2)]: 'authorize:done' }, false],
  ])('when %s: %i issues, %j', (_what, count, settled, done) => {
    expect(isDone(PAYMENT_SAGA, issued(count, settled), REPEATED)).toBe(done);
  });

  test('not when it was never issued', () => {
    expect(isDone(PAYMENT_SAGA, { ...begun, issued: {}, settled: { [id(1)]: 'authorize:done' } }, REPEATED)).toBe(
      false,
    );
  });

  test('when a person states it: of the newest issue, which is no longer kept as given up', () => {
    const kept = { ...issued(2), spent: [command('authorize', id(2)), command('capture', 'other')] };
    const stated = withStated(PAYMENT_SAGA, kept, REPEATED);
    expect(stated.settled).toEqual({ [id(2)]: 'authorize:done' });
    expect(stated.spent).toEqual([command('capture', 'other')]);
    expect(isDone(PAYMENT_SAGA, stated, REPEATED)).toBe(true);
  });

  test('by nobody\u2019s word when it was never issued', () => {
    const never = { ...begun, issued: {} };
    expect(withStated(PAYMENT_SAGA, never, REPEATED)).toBe(never);
  });
});

describe('what was given up with no answer', () => {
  const [one, two, other] = [command('authorize', 'a.1'), command('authorize', 'a.2'), command('capture', 'c.1')];

  test('is kept, in order, and found by its command', () => {
    const saga = [one, other, two].reduce((kept: PaymentSagaValue, each) => withSpent(kept, each), begun);
    expect(saga.spent).toEqual([one, other, two]);
    expect(spentOf(saga, 'authorize')).toEqual([one, two]);
    expect(spentOf(saga, 'void')).toEqual([]);
    expect(spentOf(begun, 'authorize')).toEqual([]);
  });

  test('is not kept of what was never sent', () => {
    expect(withSpent(begun, null)).toBe(begun);
    expect(withSpent(begun, { ...one, event: null })).toBe(begun);
  });

  test('is dropped by effect id, and leaves no empty list behind', () => {
    const saga = { ...begun, spent: [one, two] };
    expect(withoutSpent(saga, ['a.1']).spent).toEqual([two]);
    expect(withoutSpent(saga, ['c.1', null])).toEqual(saga);
    expect('spent' in withoutSpent(saga, ['a.1', 'a.2'])).toBe(false);
    expect('spent' in withoutSpent(begun, ['a.1'])).toBe(false);
  });
});

test('a question that a person begins anew counts from how often it was asked, other questions as before', () => {
  const saga = { ...begun, issued: { lookup: 4 }, askedBefore: { capture: 1 } };
  expect(askedFromTheStart(saga, 'lookup').askedBefore).toEqual({ capture: 1, lookup: 4 });
  expect(askedFromTheStart({ ...saga, issued: {} }, 'lookup').askedBefore).toEqual({ capture: 1, lookup: 0 });
});
