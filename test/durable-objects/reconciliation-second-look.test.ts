/** The second look at what differs, with owners that are away: for a moment, or for good. Their rows are a table of this test. */
import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { secondLook } from '../../durable-objects/reconciliation/second-look.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import type { PaymentRow } from '../../src/domain/messages.ts';
import type { StatementLine } from '../../src/domain/reconciliation/books.ts';
import { nightlyPlan } from '../../src/domain/reconciliation/plan.ts';
import { charge, FROM_MS, payment, refund, refundLine, SCOPE } from '../domain/reconciliation/world.ts';

const PLAN = nightlyPlan('sandbox', FROM_MS);
const paymentId = publicIdFromHex('pay_', env.PAYMENT_SAGA.newUniqueId().toString());
const refundId = publicIdFromHex('ref_', env.REFUND_SAGA.newUniqueId().toString());
const PAYMENT = payment(1, { id: paymentId });

/** In flight: the record has not heard of it yet. */
const ROW: PaymentRow = {
  id: paymentId,
  merchant: 'default',
  mode: 'sandbox',
  wallet_id: PAYMENT.walletId,
  service_id: 's',
  method: 'balance',
  status: 'PENDING',
  reference: null,
  created_at_ms: PAYMENT.createdAtMs,
  updated_at_ms: PAYMENT.updatedAtMs,
  sequence: 1,
  body: JSON.stringify({ saga_state: 'debiting', amount: PAYMENT.amountMinor, currency: 'USD', provider: 'acme' }),
};

/** Objects that answer with these, one for each time that they are asked; after the last, always with that. */
function answering(answers: readonly (PaymentRow | null | Error)[]): Env {
  let asked = 0;
  const namespace = (real: Env['PAYMENT_SAGA'] | Env['REFUND_SAGA']) => ({
    idFromString: (hex: string) => real.idFromString(hex),
    get: () => ({
      readRow: async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)];
        if (answer instanceof Error) throw answer;
        return answer == null ? { kind: 'not_found' } : { kind: 'found', payment: answer };
      },
    }),
  });
  const wallet = { readPaymentEntries: async () => ({ kind: 'found', entries: [], holds: [] }) };
  return {
    ...env,
    PAYMENT_SAGA: namespace(env.PAYMENT_SAGA),
    REFUND_SAGA: namespace(env.REFUND_SAGA),
    WALLET: { getByName: () => wallet },
  } as unknown as Env;
}

const AWAY = new Error('the object was reset');
const lists = (lines: readonly StatementLine[], of: Partial<Parameters<typeof secondLook>[3]['lists']> = {}) => ({
  lists: { payments: [], refunds: [], lines, entries: [], holds: [], ...of },
  ledgerUnread: new Set<string>(),
});
const looked = (audited: Env, gathered: Parameters<typeof secondLook>[3]) =>
  secondLook(audited, PLAN, new Map(), gathered, SCOPE);

test('money of a payment that neither the record nor its owner knows is of no payment of ours', async () => {
  const { differences } = await looked(answering([null]), lists([charge(PAYMENT)]));
  expect(differences).toMatchObject([{ class: 'unknown_here', paymentId, confirmed: true }]);
});

test('money of a payment whose owner was away when it was asked first is no difference once it answers', async () => {
  expect(await looked(answering([ROW]), lists([charge(PAYMENT)]))).toMatchObject({ differences: [], inFlight: 1 });
});

test('of a payment whose owner does not answer nothing is confirmed', async () => {
  const { differences } = await looked(answering([AWAY]), lists([charge(PAYMENT)]));
  expect(differences).toMatchObject([{ class: 'unknown_here', paymentId, confirmed: false }]);
});

test("of a payment, one of whose refunds' owners does not answer, nothing is confirmed", async () => {
  const given = refundLine(refund(PAYMENT, 1, { id: refundId }), PAYMENT);
  const entries = [{ paymentId, type: 'debit' as const, settledMinor: PAYMENT.amountMinor }];
  const gathered = lists([charge(PAYMENT), given], { payments: [PAYMENT], entries });
  const { differences } = await looked(answering([null, AWAY]), gathered);
  const missing = differences.filter(({ class: name }) => name === 'refund_missing_here');
  expect(missing).toMatchObject([{ paymentId, confirmed: false }]);
});
