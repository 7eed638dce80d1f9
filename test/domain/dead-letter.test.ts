import { describe, expect, test } from 'vitest';
import { identityOf, isMadeAnew, redrivableOf, waitsForOf } from '../../src/domain/dead-letter.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { paymentRow } from '../../src/domain/payment-view.ts';
import { PAYMENT_ID, SagaDriver } from '../support/saga.ts';
import fixtures from './fixtures/events-v1.json';

const EXAMPLES = fixtures as Envelope[];
const NOTHING = { message_type: null, group_id: null, effect_id: null, merchant: null, mode: null };
const { saga, events } = new SagaDriver();
const PUBLICATION = {
  kind: 'publication',
  group_id: `payment_${PAYMENT_ID}`,
  payment: { ...paymentRow(saga), merchant: 'shop' },
  runs: [{ first: 1, last: events.length, events }],
};

describe('what can be read of a message that died', () => {
  test.each(EXAMPLES.map((event) => [event.event_type, event] as const))('of %s: all of it', (type, event) => {
    const { metadata } = event;
    expect(identityOf(event)).toEqual({
      message_type: type,
      group_id: metadata.message_group_id,
      effect_id: metadata.message_deduplication_id,
      merchant: metadata.merchant,
      mode: metadata.mode,
    });
  });

  test('of an event of an unknown type, or with a broken payload: all of it', () => {
    const [event] = EXAMPLES;
    expect(
      identityOf({ ...event, event_type: 'orchestrator.wallet.teleport', payload: { amount: 'x' } }),
    ).toMatchObject({
      message_type: 'orchestrator.wallet.teleport',
      effect_id: event?.metadata.message_deduplication_id,
      merchant: event?.metadata.merchant,
    });
  });

  test('of a publication: whose log it is of, and no effect', () => {
    expect(identityOf(PUBLICATION)).toEqual({
      message_type: 'publication',
      group_id: `payment_${PAYMENT_ID}`,
      effect_id: null,
      merchant: 'shop',
      mode: 'sandbox',
    });
  });

  test('of a publication of a shape that this version does not know: the same, and that its body is worth keeping', () => {
    const unknown = { ...PUBLICATION, runs: [] };
    expect(identityOf(unknown)).toEqual(identityOf(PUBLICATION));
    expect([isMadeAnew(unknown), isMadeAnew(PUBLICATION), isMadeAnew(EXAMPLES[0])]).toEqual([false, true, false]);
  });

  test('of a wallet that was opened: whose it is; it has no log, and tells of itself again', () => {
    const wallet = { id: 'w', merchant: 'shop', mode: 'sandbox', currency: 'USD', created_at_ms: 1 };
    const identity = identityOf({ kind: 'wallet_opened', wallet });
    expect(identity).toEqual({ ...NOTHING, message_type: 'wallet_opened', merchant: 'shop', mode: 'sandbox' });
    expect(redrivableOf(identity)).toBeNull();
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['text', 'an event'],
    ['an event without its envelope', { event_type: 'wallet.debit' }],
    ['an event of no merchant', { ...EXAMPLES[0], metadata: { ...EXAMPLES[0]?.metadata, merchant: undefined } }],
    ['a publication of no row', { ...PUBLICATION, payment: undefined }],
  ])('of %s: nothing, and it belongs to nobody', (_what, body) => {
    expect(identityOf(body)).toEqual(NOTHING);
    expect(redrivableOf(identityOf(body))).toBeNull();
  });
});

test('an effect and a publication can be redriven, each by what names it', () => {
  expect(redrivableOf({ message_type: 'orchestrator.wallet.debit', effect_id: 'e' })).toEqual({
    kind: 'effect',
    effectId: 'e',
  });
  expect(redrivableOf(identityOf(PUBLICATION))).toEqual({ kind: 'publication' });
});

test('what a message waits for is told by its queue, its owner, its log and its effect, and by nothing else of it', () => {
  const [event] = EXAMPLES;
  const of = (fields: object, queue = 'q') =>
    waitsForOf(queue, { ...event, ...fields, metadata: { ...event?.metadata, ...fields } });
  const wallet = (fields: object) => ({
    kind: 'wallet_opened',
    wallet: { id: 'w', merchant: 'shop', mode: 'sandbox', currency: 'USD', created_at_ms: 1, ...fields },
  });
  const same = [
    [of({}), of({ event_id: crypto.randomUUID(), sequence: 99, payload: {} })],
    [waitsForOf('q', PUBLICATION), waitsForOf('q', { ...PUBLICATION, runs: 'later ones' })],
    [waitsForOf('q', wallet({})), waitsForOf('q', wallet({ currency: 'EUR' }))],
  ];
  for (const [left, right] of same) expect(left).toBe(right);
  const keys = [
    of({}),
    of({}, 'another'),
    ...[{ merchant: 'other' }, { mode: 'live' }, { message_group_id: 'g' }].map((fields) => of(fields)),
    of({ message_deduplication_id: 'e' }),
    waitsForOf('q', PUBLICATION),
    waitsForOf('q', { ...PUBLICATION, group_id: 'refund_ref_1' }),
    ...[{}, { id: 'x' }, { mode: 'live' }].map((fields) => waitsForOf('q', wallet(fields))),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).not.toContain(null);
  expect(waitsForOf('q', 'unreadable')).toBeNull();
});
