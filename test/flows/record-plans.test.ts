/** The record's queries that would read a table whole if SQLite chose another way: how each finds its rows. */
import { expect, test } from 'vitest';
import type { Purview } from '../../src/domain/api-key.ts';
import type { Scope } from '../../src/domain/ids.ts';
import { readDossiers, refundsOfPayments } from '../../src/read-model/archived-payments.ts';
import { oldRows } from '../../src/read-model/archived-rows.ts';
import { type DeadLetterFilters, listDeadLetters } from '../../src/read-model/dead-letters.ts';
import { listPayments, type PaymentFilters } from '../../src/read-model/payments.ts';
import { undeliveredCallbacks } from '../../src/read-model/provider-callbacks.ts';
import { paymentsMade, paymentsRefunded } from '../../src/read-model/reconciled-rows.ts';
import { plansOf } from '../support/query-plans.ts';

const SCOPE: Scope = { merchant: 'a', mode: 'sandbox' };

test('the archiver finds what was notified of a payment by the key of each notification', async () => {
  const plans = await plansOf((db) => readDossiers(db, SCOPE, ['pay_1'], new Map()));
  const notifications = plans.at(-1) ?? [];
  expect(notifications).toContain('SEARCH notifications USING PRIMARY KEY (id>? AND id<?)');
});

test('the archiver finds the refunds of a page of payments by their payments, and reads no other', async () => {
  const search = 'SEARCH refunds USING INDEX refunds_by_payment (merchant=? AND mode=? AND payment_id=?)';
  const [asked] = await plansOf((db) => refundsOfPayments(db, SCOPE, ['pay_1']));
  expect(asked).toContain(search);
  const plans = await plansOf((db) => readDossiers(db, SCOPE, ['pay_1'], new Map()));
  expect(plans[1]).toContain(search);
});

test('a page of a reconciliation begins where the last one ended, within the window', async () => {
  const window = { fromMs: 1, toMs: 9, atRestBeforeMs: 9 };
  const after = '(created_at_ms,id)>(?,?) AND created_at_ms<?)';
  const position = { merchant: 'a', createdAtMs: 5, id: 'b' };
  const [made] = await plansOf((db) => paymentsMade(db, 'sandbox', window, position, 100));
  expect(made).toEqual([`SEARCH payments USING INDEX payments_by_created (merchant=? AND mode=? AND ${after}`]);
  const [refunded] = await plansOf((db) => paymentsRefunded(db, 'sandbox', window, position, 100));
  expect(refunded).toEqual([`SEARCH refunds USING INDEX refunds_by_created (mode=? AND ${after}`]);
});

test.each<[string, Purview['isPlatform'], DeadLetterFilters, string]>([
  ['a platform key', true, {}, 'dead_letters_by_died ('],
  ['a platform key by status', true, { status: 'present' }, 'dead_letters_by_died ('],
  ['a platform key by status and queue', true, { status: 'present', queue: 'q' }, 'dead_letters_by_died ('],
  ['a merchant', false, {}, 'dead_letters_by_owner (merchant=? AND mode=? AND '],
  [
    'a merchant by status',
    false,
    { status: 'present' },
    'dead_letters_by_status (merchant=? AND mode=? AND status=? AND ',
  ],
])('a page of the dead letters of %s begins where the last one ended, between the times', async (...row) => {
  const [, isPlatform, filters, index] = row;
  const purview = { merchant: isPlatform ? null : 'a', mode: 'sandbox', isPlatform } as const;
  const range = { diedFromMs: 1, diedToMs: 9 };
  const position = { createdAtMs: 5, id: 'b' };
  const plans = await plansOf((db) => listDeadLetters(db, purview, { ...filters, ...range }, position, 20));
  const between = '(died_at_ms,id)>(?,?) AND (died_at_ms,id)<(?,?))';
  expect(plans).toEqual([[`SEARCH dead_letters USING INDEX ${index}${between}`]]);
});

const BY_CREATED = 'payments_by_created (merchant=? AND mode=?';
const BY_WALLET = 'payments_by_wallet (merchant=? AND mode=? AND wallet_id=?';
const BY_STATUS = 'payments_by_status (merchant=? AND mode=? AND status=?';
const BETWEEN = ' AND (created_at_ms,id)>(?,?) AND (created_at_ms,id)<(?,?))';

test.each<[string, PaymentFilters, string]>([
  ['nothing', {}, BY_CREATED],
  ['a wallet', { walletId: 'w' }, BY_WALLET],
  ['those that failed', { status: 'FAILED' }, BY_STATUS],
  ['those under way', { status: 'PENDING' }, BY_STATUS],
])('a list of payments by %s reads its page only, between the times that were asked', async (_what, filters, index) => {
  const range = { createdFromMs: 1, createdToMs: 9 };
  const plans = await plansOf((db) =>
    listPayments(db, SCOPE, { ...filters, ...range }, { createdAtMs: 5, id: 'b' }, 20),
  );
  expect(plans).toEqual([[`SEARCH payments USING INDEX ${index}${BETWEEN}`]]);
});

test.each<[string, PaymentFilters, string]>([
  ['a service', { serviceId: 's' }, BY_CREATED],
  ['a method', { method: 'balance' }, BY_CREATED],
  ['a reference', { reference: 'r' }, BY_CREATED],
  ['those that completed', { status: 'COMPLETED' }, BY_CREATED],
  ['a reference and a wallet', { reference: 'r', walletId: 'w' }, BY_WALLET],
  ['a status and a wallet', { status: 'FAILED', walletId: 'w' }, BY_WALLET],
  ['a reference and a status', { reference: 'r', status: 'FAILED' }, BY_STATUS],
])('a list of payments by %s first finds by an index alone how far it may read', async (_what, filters, index) => {
  const range = { createdFromMs: 1, createdToMs: 9 };
  const plans = await plansOf((db) => listPayments(db, SCOPE, { ...filters, ...range }, null, 20));
  expect(plans).toEqual([
    [`SEARCH payments USING COVERING INDEX ${index}${BETWEEN}`],
    [`SEARCH payments USING INDEX ${index}${BETWEEN}`],
  ]);
});

test('callbacks that no saga has heard are read in turn, as many as are tried', async () => {
  const [plan] = await plansOf((db) => undeliveredCallbacks(db, 1, 200));
  const search = 'SEARCH provider_callbacks USING INDEX provider_callbacks_by_status (status=? AND <expr><?)';
  expect(plan?.filter((step) => step.includes('provider_callbacks'))).toEqual([search, search]);
});

test.each(['dead_letters', 'provider_callbacks'] as const)(
  'settled %s that are old are found by an index',
  async (table) => {
    const [plan] = await plansOf((db) => oldRows(db, table, 1, 100));
    expect(plan?.filter((step) => step.includes(table))).toEqual([
      expect.stringContaining(`SEARCH ${table} USING COVERING INDEX`),
    ]);
  },
);
