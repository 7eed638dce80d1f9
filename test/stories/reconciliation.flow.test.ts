/**
 * P10: a thousand payments of every kind, through their real sagas; then one in a hundred missing, one extra and one of a
 * wrong amount in the provider's own books. All of it is found and classified, and nothing else. HOLDFAST_SEED repeats what
 * is drawn.
 */
import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment.ts';
import { AT_REST_MS } from '../../src/domain/reconciliation/plan.ts';
import { call, freshKey, postPayment, provider, terminal, until } from '../support/payments.ts';
import { atRest, findings, reconciled } from '../support/reconciliation.ts';

const PAYMENTS = 1_000;
const EACH = PAYMENTS / 100;
const AT_ONCE = 50;
const SEED = Number(env.HOLDFAST_SEED ?? 20261124);

/** Park and Miller's generator: small, and the same everywhere. */
function generator(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 16_807) % 2_147_483_647;
    return state % below;
  };
}

/** Most are paid from wallets; some by card, some fail, and some of those that complete are refunded in part. */
function bodyOf(n: number): Record<string, unknown> {
  const body = { wallet_id: `p10-${n % 20}`, amount: 1_000 + n, reference: `p10-${n}` };
  if (n % 10 === 3) return { ...body, method: 'credit_card', token: 'pm_card_visa', customer_id: 'cus-1' };
  if (n % 10 === 7) return { ...body, token: 'pm_card_visa_chargeDeclined' };
  if (n % 50 === 1) return { ...body, token: 'pm_sim_debit_fail' };
  return body;
}

async function inChunks<Item, Result>(
  items: readonly Item[],
  make: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(make))));
  }
  return results;
}

async function paid(n: number): Promise<PaymentView> {
  const response = await postPayment(bodyOf(n), freshKey('p10'), { prefer: 'wait=25' });
  const payment = await response.json<PaymentView>();
  return payment.status === 'PENDING' ? await terminal(payment.id, 60_000) : payment;
}

async function refunded({ id }: PaymentView): Promise<{ id: string; status: string; updated_at: string }> {
  const response = await call('/refunds', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('p10-refund'), prefer: 'wait=25' },
    body: JSON.stringify({ payment_id: id, amount: 100 }),
  });
  return await response.json();
}

/** What the record has: payments that have ended, and those of them that know of what was given back. */
async function recorded(): Promise<{ ended: number; given: number }> {
  const row = await env.DB.prepare(
    `SELECT COUNT(*) AS ended, SUM(body ->> '$.refunded_amount' > 0) AS given FROM payments WHERE status <> 'PENDING'`,
  ).first<{ ended: number; given: number }>();
  return row ?? { ended: 0, given: 0 };
}

test('P10: of 1,000 payments every missing, extra and wrong line of the books is found and classified, and nothing else', {
  timeout: 400_000,
}, async () => {
  const draw = generator(SEED);
  const payments = await inChunks(
    Array.from({ length: PAYMENTS }, (_, n) => n),
    paid,
  );
  const completed = payments.filter(({ status }) => status === 'COMPLETED');
  const failed = payments.filter(({ status, provider_reference: reference }) => status === 'FAILED' && reference);
  const refunds = await inChunks(
    completed.filter((_, index) => index % 20 === 0),
    refunded,
  );
  expect(refunds.every(({ status }) => status === 'COMPLETED')).toBe(true);
  await until(recorded, ({ ended, given }) => ended === PAYMENTS && given === refunds.length, 60_000);
  await atRest(new Date().toISOString(), AT_REST_MS.sandbox);

  const clean = await reconciled();
  expect(clean).toMatchObject({ status: 'finished', complete: true, differences: 0, by_class: {} });
  expect(clean.payments).toMatchObject({ compared: PAYMENTS, in_flight: 0, incomplete: 0 });

  // One draw without returning: a payment has one fault. Half of what is extra is of payments that nobody knows.
  const deck = [...completed];
  const take = (from: PaymentView[]): PaymentView => {
    const [card] = from.splice(draw(from.length), 1);
    if (card === undefined) throw new Error('the deck is empty');
    return card;
  };
  const missing = Array.from({ length: EACH }, () => take(deck));
  const wrong = Array.from({ length: EACH }, () => take(deck));
  const doubled = Array.from({ length: EACH / 2 - 2 }, () => take(deck));
  const undead = Array.from({ length: 2 }, () => take(failed));
  const strangers = Array.from({ length: EACH / 2 }, (_, n) => `pay_${String(n).padStart(43, 'z')}`);
  await runInDurableObject(provider('acme'), (_instance, { storage: { sql } }) => {
    for (const { id } of missing) sql.exec('DELETE FROM charges WHERE payment_id = ?', id);
    for (const { id } of wrong) sql.exec('UPDATE charges SET amount_minor = amount_minor + 7 WHERE payment_id = ?', id);
    for (const { id } of undead) sql.exec(`UPDATE charges SET status = 'captured' WHERE payment_id = ?`, id);
    const [{ columns } = { columns: '' }] = sql
      .exec<{ columns: string }>(`SELECT group_concat(name) AS columns FROM pragma_table_info('charges')`)
      .toArray();
    const copy = (key: string, paymentId: string, of: string) => {
      const selected = columns.replace(/\bkey\b/, '?').replace(/\bpayment_id\b/, '?');
      sql.exec(`INSERT INTO charges SELECT ${selected} FROM charges WHERE payment_id = ? LIMIT 1`, key, paymentId, of);
    };
    for (const { id } of doubled) copy(`${id}.x.acme`, id, id);
    for (const id of strangers) copy(`${id}.a.acme`, id, deck[0]?.id ?? '');
  });

  const report = await reconciled();
  const found = await findings(report);
  const planted = [
    ...missing.map(({ id }) => `missing_at_provider ${id}`),
    ...wrong.map(({ id }) => `amount_mismatch ${id}`),
    ...doubled.map(({ id }) => `duplicate_at_provider ${id}`),
    ...undead.map(({ id }) => `missing_here ${id}`),
    ...strangers.map((id) => `unknown_here ${id}`),
  ].sort();
  const named = found.map(({ class: name, payment_id: id }) => `${name} ${id}`).sort();
  const rows = Object.keys(report.by_class).map((name) => {
    const of = (all: readonly string[]) => all.filter((each) => each.startsWith(`${name} `));
    const foundHere = of(named).filter((each) => planted.includes(each)).length;
    return `${name.padEnd(24)} planted ${of(planted).length}  found ${foundHere}  false ${of(named).length - foundHere}`;
  });
  console.info(`P10 seed ${SEED}: ${PAYMENTS} payments, ${refunds.length} refunds\n${rows.join('\n')}`);
  expect(named).toEqual(planted);
  expect(found.every(({ confirmed }) => confirmed)).toBe(true);
  expect(report.differences).toBe(planted.length);
  const inDoubt = found.reduce((sum, { money_in_doubt: minor }) => sum + minor, 0);
  expect(report.money_in_doubt).toEqual([{ currency: 'USD', differences: planted.length, amount: inDoubt }]);
});
