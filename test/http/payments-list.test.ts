// GET /payments: search over the record. Rows are put there directly: this is about reading them.
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { PAYMENTS_SEARCHED_MAX } from '../../src/domain/limits.ts';
import type { BodiesPage, PagePosition } from '../../src/read-model/pages.ts';
import { listPayments, type PaymentFilters } from '../../src/read-model/payments.ts';
import { jsonOf, problemOf, send } from './client.ts';

interface Page {
  object: 'list';
  data: { id: string }[];
  next_cursor: string | null;
}

const START_MS = Date.parse('2026-01-01T00:00:00Z');
const MERCHANT_ROWS = 25;

interface Row {
  id: string;
  merchant?: string;
  mode?: string;
  wallet?: string;
  service?: string;
  method?: string;
  status?: string;
  reference?: string | null;
  atMs: number;
}

async function insert(rows: readonly Row[]): Promise<void> {
  const sql = `INSERT INTO payments
    (id, merchant, mode, wallet_id, service_id, method, status, reference, created_at_ms, updated_at_ms, sequence, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`;
  await env.DB.batch(
    rows.map((row) =>
      env.DB.prepare(sql).bind(
        row.id,
        row.merchant ?? 'default',
        row.mode ?? 'sandbox',
        row.wallet ?? 'w-list',
        row.service ?? 's-1',
        row.method ?? 'balance',
        row.status ?? 'PENDING',
        row.reference ?? null,
        row.atMs,
        row.atMs,
        JSON.stringify({ id: row.id, object: 'payment' }),
      ),
    ),
  );
}

const list = async (query = '') => jsonOf<Page>(await send(`/payments${query}`), 200);
const ids = async (query: string) => (await list(query)).data.map((payment) => payment.id);

beforeAll(async () => {
  await insert([
    // Pairs share a millisecond: the order among them is by id.
    ...Array.from({ length: MERCHANT_ROWS }, (_, index) => ({
      id: `pay_${String(index).padStart(2, '0')}`,
      atMs: START_MS + Math.floor(index / 2) * 1_000,
    })),
    { id: 'pay_other', atMs: START_MS + 999_999, merchant: 'other' },
    { id: 'pay_live', atMs: START_MS + 999_999, mode: 'live' },
    { id: 'pay_completed', atMs: START_MS - 1_000, status: 'COMPLETED', wallet: 'w-2', service: 's-2' },
    { id: 'pay_card', atMs: START_MS - 2_000, method: 'credit_card', wallet: 'w-2', reference: "o'neil" },
  ]);
});

describe('a page', () => {
  it('is newest first, of the default size, and of no other merchant or mode', async () => {
    const page = await list();
    expect(page.object).toBe('list');
    expect(page.data).toHaveLength(20);
    expect(page.data.slice(0, 3).map((payment) => payment.id)).toEqual(['pay_24', 'pay_23', 'pay_22']);
  });

  it.each([1, 2, 3, 7, 100])('of %i leads to the next without gap or repetition', async (limit) => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page = await list(`?wallet_id=w-list&limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.data.map((payment) => payment.id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    const all = Array.from({ length: MERCHANT_ROWS }, (_, index) => `pay_${String(index).padStart(2, '0')}`);
    expect(seen).toEqual(all.reverse());
  });

  it('stays where it is when newer payments arrive', async () => {
    const first = await list('?wallet_id=w-list&limit=5');
    await insert([{ id: 'pay_newer', atMs: START_MS + 500_000, wallet: 'w-list' }]);
    const second = await list(`?wallet_id=w-list&limit=5&cursor=${first.next_cursor}`);
    expect(second.data[0]?.id).toBe('pay_19');
    await env.DB.prepare('DELETE FROM payments WHERE id = ?').bind('pay_newer').run();
  });
});

describe('what no index has', () => {
  const OTHERS = PAYMENTS_SEARCHED_MAX;
  const rows = [
    { id: 'pay_newer', atMs: START_MS + OTHERS, merchant: 'large', reference: 'sought' },
    { id: 'pay_older', atMs: START_MS - 1, merchant: 'large', reference: 'sought' },
  ];

  beforeAll(async () => {
    await insert(rows);
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
       INSERT INTO payments
         (id, merchant, mode, wallet_id, service_id, method, status, created_at_ms, updated_at_ms, sequence, body)
       SELECT 'large ' || i, 'large', 'sandbox', 'w', 's', 'balance', 'COMPLETED', ?2 + i, 1, 1, '{}' FROM n`,
    )
      .bind(OTHERS, START_MS)
      .run();
  });

  const pageOf = (filters: PaymentFilters, position: PagePosition | null, limit = 20) =>
    listPayments(env.DB, { merchant: 'large', mode: 'sandbox' }, filters, position, limit);
  const idsOf = ({ bodies }: BodiesPage) => bodies.map((body) => JSON.parse(body).id);

  it('is looked for among so many payments at once, and a page says where the next goes on', async () => {
    const first = await pageOf({ reference: 'sought' }, null);
    expect(idsOf(first)).toEqual(['pay_newer']);
    expect(first.next).toEqual({ createdAtMs: START_MS + 1, id: 'large 1' });
    const second = await pageOf({ reference: 'sought' }, first.next);
    expect(idsOf(second)).toEqual(['pay_older']);
    expect(second.next).toBeNull();
  });

  it('may leave a page empty that is not the last', async () => {
    const first = await pageOf({ reference: 'sought', createdToMs: START_MS + OTHERS }, null);
    expect(first).toEqual({ bodies: [], next: { createdAtMs: START_MS, id: 'large 0' } });
    expect(idsOf(await pageOf({ reference: 'sought' }, first.next))).toEqual(['pay_older']);
  });

  it('goes on after the last that was listed, where a page is full', async () => {
    const first = await pageOf({ reference: 'sought', createdFromMs: START_MS + 10 }, null, 1);
    expect(idsOf(first)).toEqual(['pay_newer']);
    expect(first.next).toBeNull();
    const full = await pageOf({ serviceId: 's' }, null, 1);
    expect(full.next).toEqual({ createdAtMs: START_MS + OTHERS - 1, id: `large ${OTHERS - 1}` });
  });
});

describe('a filter', () => {
  const at = (ms: number) => encodeURIComponent(new Date(ms).toISOString());

  it.each<[string, string[]]>([
    ['wallet_id=w-2', ['pay_completed', 'pay_card']],
    ['service_id=s-2', ['pay_completed']],
    ['status=COMPLETED', ['pay_completed']],
    ['method=credit_card', ['pay_card']],
    [`reference=${encodeURIComponent("o'neil")}`, ['pay_card']],
    ['wallet_id=w-2&status=COMPLETED&method=credit_card', []],
    ['wallet_id=w-none', []],
    [`created_to=${at(START_MS)}`, ['pay_completed', 'pay_card']],
    [`created_from=${at(START_MS - 1_000)}&created_to=${at(START_MS)}`, ['pay_completed']],
    [`created_from=${at(START_MS + 12_000)}`, ['pay_24']],
  ])('%s keeps what it names', async (query, expected) => {
    expect(await ids(`?${query}`)).toEqual(expected);
  });
});

describe('a query', () => {
  it.each<[string, string]>([
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['limit=ten', '/limit'],
    ['limit=1e1', '/limit'],
    ['limit=1&limit=2', '/limit'],
    ['limit=', '/limit'],
    ['status=DONE', '/status'],
    ['method=cash', '/method'],
    ['wallet_id=a%20b', '/wallet_id'],
    ['created_from=yesterday', '/created_from'],
    ['created_to=2026-01-01', '/created_to'],
    ['walet_id=w-1', '/walet_id'],
    ['reference=a%00b', '/reference'],
  ])('with %s is refused, naming it', async (query, pointer) => {
    const problem = await problemOf(await send(`/payments?${query}`), 400, 'validation_failed');
    expect(problem.errors).toEqual([{ in: 'query', pointer, message: expect.any(String) }]);
  });

  it.each([
    ['not base64', '***'],
    ['not JSON', btoa('hello')],
    ['of another shape', btoa(JSON.stringify({ p: 1 }))],
    ['empty', ''],
  ])('with a cursor that is %s is refused', async (_case, cursor) => {
    await problemOf(await send(`/payments?cursor=${encodeURIComponent(cursor)}`), 400, 'invalid_cursor');
  });

  it('with a cursor of other filters is refused', async () => {
    const { next_cursor: cursor } = await list('?wallet_id=w-list&limit=1');
    await problemOf(await send(`/payments?wallet_id=w-2&cursor=${cursor}`), 400, 'invalid_cursor');
  });
});
