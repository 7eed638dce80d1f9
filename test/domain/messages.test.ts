import { describe, expect, test } from 'vitest';
import { deadMessageSchema, publicationSchema, recordMessageSchema } from '../../src/domain/messages.ts';
import { paymentRow } from '../../src/domain/payment-view.ts';
import { refundRow } from '../../src/domain/refund-view.ts';
import { RefundDriver } from '../support/refund-saga.ts';
import { SagaDriver } from '../support/saga.ts';

const { saga, events } = new SagaDriver();
const PUBLICATION = {
  kind: 'publication',
  group_id: `payment_${saga.data.paymentId}`,
  payment: paymentRow(saga),
  runs: [{ first: 1, last: events.length, events }],
};
const DEAD = {
  kind: 'dead_message',
  message_id: 'm1',
  queue: 'wallet-commands',
  reason: 'malformed',
  body: { any: 'thing' },
};

describe('a publication', () => {
  test('is taken as it was sent', () => {
    expect(publicationSchema.parse(PUBLICATION)).toEqual(PUBLICATION);
  });

  test('is taken of either mode, and of a payment or a refund, but not of both or of neither', () => {
    const refund = refundRow(new RefundDriver().saga);
    const { payment, ...rest } = PUBLICATION;
    for (const mode of ['sandbox', 'live']) {
      const publication = { ...rest, payment: { ...payment, mode } };
      expect(publicationSchema.parse(publication)).toEqual(publication);
      expect(publicationSchema.parse({ ...rest, refund: { ...refund, mode } })).toMatchObject({ refund: { mode } });
    }
    expect(publicationSchema.safeParse({ ...rest, refund: { ...refund, mode: 'test' } }).success).toBe(false);
    for (const rows of [{ payment, refund }, {}]) {
      const { error } = publicationSchema.safeParse({ ...rest, ...rows });
      expect(error?.issues[0]?.message).toBe('Must have one row.');
    }
  });

  test.each<[string, object]>([
    ['of another kind', { kind: 'dead_message' }],
    ['with no group', { group_id: undefined }],
    ['with no row', { payment: undefined }],
    ['with no run', { runs: [] }],
    ['with a run of no event', { runs: [{ first: 1, last: 1, events: [] }] }],
    ['with a run from 0', { runs: [{ first: 0, last: 1, events }] }],
    ['with a run to a fraction', { runs: [{ first: 1, last: 1.5, events }] }],
    ['with an event that is none', { runs: [{ first: 1, last: 1, events: [{ event_type: 'payment.created' }] }] }],
    ...Object.entries({
      id: 1,
      merchant: null,
      mode: 'test',
      wallet_id: undefined,
      service_id: undefined,
      method: 'cash',
      status: 'DONE',
      reference: undefined,
      created_at_ms: 1.5,
      updated_at_ms: '2026-01-01T00:00:00.000Z',
      sequence: 0,
      body: {},
    }).map(([name, value]): [string, object] => [
      `with a wrong ${name}`,
      { payment: { ...PUBLICATION.payment, [name]: value } },
    ]),
  ])('%s is refused', (_what, change) => {
    expect(publicationSchema.safeParse({ ...PUBLICATION, ...change }).success).toBe(false);
  });
});

describe('a message that died', () => {
  test('is taken with any body', () => {
    for (const body of [null, 'text', 7, [], {}]) {
      expect(deadMessageSchema.parse({ ...DEAD, body })).toEqual({ ...DEAD, body });
    }
  });

  test('is taken from a version that did not say its id', () => {
    const { message_id: _id, ...older } = DEAD;
    expect(deadMessageSchema.parse(older)).toEqual(older);
  });

  test.each([
    ['of another kind', { kind: 'publication' }],
    ['with no queue', { queue: undefined }],
    ['with no reason', { reason: undefined }],
  ])('%s is refused', (_what, change) => {
    expect(deadMessageSchema.safeParse({ ...DEAD, ...change }).success).toBe(false);
  });
});

describe('a wallet on its way to the directory', () => {
  const wallet = { id: 'wal-1', merchant: 'default', mode: 'live', currency: 'USD', created_at_ms: 1 };
  const isTaken = (body: unknown) => recordMessageSchema.safeParse(body).success;

  test('is all that the directory holds of it, in either mode, and is no publication', () => {
    expect(recordMessageSchema.parse({ kind: 'wallet_opened', wallet })).toEqual({ kind: 'wallet_opened', wallet });
    expect(isTaken({ kind: 'wallet_opened', wallet: { ...wallet, mode: 'sandbox' } })).toBe(true);
    expect(isTaken({ kind: '', wallet })).toBe(false);
    expect(isTaken({ kind: 'publication', wallet })).toBe(false);
  });

  test.each(Object.keys(wallet))('is refused without its %s', (member) => {
    expect(isTaken({ kind: 'wallet_opened', wallet: { ...wallet, [member]: undefined } })).toBe(false);
  });

  test.each([['test'], [''], [null]])('is refused in the mode %j', (mode) => {
    expect(isTaken({ kind: 'wallet_opened', wallet: { ...wallet, mode } })).toBe(false);
  });
});
