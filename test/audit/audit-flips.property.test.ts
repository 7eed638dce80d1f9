/**
 * P9: the auditor finds every flip of a stored row, and nothing where nothing was flipped. One flip at a time: flipped,
 * audited by the auditor's own functions, restored. HOLDFAST_FLIPS makes it longer. HOLDFAST_SEED gives the same draws again, and not
 * the same run: they fall on ids and times that are each run's own.
 *
 * Not flipped, since no audit of it could tell: `wallet.frozen` (docs/ledger.md); a wallet's `alarm_at_ms` and `listed`, and
 * the numbers of its schema's steps, and when the sweeper last looked (`swept_at_ms`), which say when to look again and nothing of money; series that endpoints report
 * (decision 0042), and that other series have no sums, which their table sees to; what payments cost, of which no event tells (0064); and what is not the record's or an owner's: dead letters, notifications, callbacks, endpoints.
 */
import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import type { PaymentSaga } from '../../durable-objects/payment-saga/payment-saga.ts';
import type { RefundSaga } from '../../durable-objects/refund-saga/refund-saga.ts';
import { type Head, SAGA_KEY } from '../../durable-objects/saga/store.ts';
import { lookAtSaga } from '../../src/auditor/sagas.ts';
import { type AuditPage, auditFrom } from '../../src/auditor/walk.ts';
import { findingsOf } from '../../src/auditor/wallets.ts';
import type { Finding } from '../../src/domain/audit/finding.ts';
import { EMPTY_LOG } from '../../src/domain/audit/operators-log.ts';
import { walletObjectName } from '../../src/domain/ids.ts';
import type { LedgerAuditState } from '../../src/domain/ledger/replay.ts';
import type { WalletRow } from '../../src/domain/messages.ts';
import { seededRandom } from '../../src/domain/seeded-random.ts';
import { readCounters, sagaIdsAfter } from '../../src/read-model/audit.ts';
import { paymentObjectId, refundObjectId } from '../../src/stubs.ts';
import { commitsIn, editCommits } from '../support/saga-storage.ts';
import { type Cell, cellsOf, flipped, keyAfter, pick, type Random, updateOf, type Value } from './flips.ts';
import { buildWorld, post, WALLETS, type World, walkFindings } from './world.ts';

const FLIPS = Number(env.AUDIT_FLIPS);
const SEED = Number(env.HOLDFAST_SEED ?? Date.now() % 2 ** 31);
/** So often the flip is also walked over as an operator would, and so often the clean world is. */
const WALKED_EVERY = 50;
/** Draws until the storage takes a flip; the column that refuses most takes one of three. */
const DRAWS_MAX = 200;
/** The sweeper's own note beside what the owner says of itself; and what SQLite makes of the body and lets nobody write. */
const NOT_OF_THE_ROW = ['swept_at_ms', 'saga_state', 'next_check_at'];
const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

/** A group of cells, and how one of them is flipped, audited and restored; null: the storage refused the flip, or it is none. */
interface Ground {
  readonly name: string;
  readonly cells: readonly Cell[];
  readonly tryFlip: (cell: Cell, to: Value, walk: boolean) => Promise<readonly Finding[] | null>;
}

let world: World;
let grounds: readonly Ground[];

beforeAll(async () => {
  world = await buildWorld();
  grounds = (await Promise.all([...walletGrounds(), ...sagaGrounds(), recordGrounds()])).flat();
}, 120_000);

test('a world of every ending is audited with nothing found', async () => {
  expect(await walkFindings()).toEqual([]);
});

test(`${FLIPS} flips, each of one stored cell, are found, every one (seed ${SEED})`, {
  timeout: 7_200_000,
}, async () => {
  const random = seededRandom(SEED);
  const tally = new Map<string, { flips: number; found: number }>();
  const missed: string[] = [];
  // By column first: a table of few rows is flipped as often as one of many.
  const columns = new Map<string, { ground: Ground; cell: Cell }[]>();
  for (const ground of grounds) {
    for (const cell of ground.cells) {
      const name = `${ground.name} ${cell.table}.${cell.column}`;
      columns.set(name, [...(columns.get(name) ?? []), { ground, cell }]);
    }
  }
  let cleanWalks = 0;
  for (let done = 0; done < FLIPS; ) {
    const name = leastFlipped(random, [...columns.keys()], tally);
    const { cell, to, findings } = await flipOneOf(random, name, columns.get(name) ?? [], done % WALKED_EVERY === 0);
    done += 1;
    const count = tally.get(name) ?? { flips: 0, found: 0 };
    tally.set(name, { flips: count.flips + 1, found: count.found + (findings.length > 0 ? 1 : 0) });
    if (findings.length === 0) missed.push(`${name} of ${JSON.stringify(cell.key)}: ${cell.value} → ${to}`);
    if (done % WALKED_EVERY === 0) {
      expect(await walkFindings(), `a false alarm after flip ${done}: ${name}`).toEqual([]);
      cleanWalks += 1;
    }
  }
  print(tally, cleanWalks);
  expect(missed.slice(0, 20)).toEqual([]);
  expect(tally.size).toBe(Math.min(columns.size, FLIPS));
});

/** One of the names that were flipped least: no column is left out by chance. */
function leastFlipped(
  random: Random,
  names: readonly string[],
  tally: ReadonlyMap<string, { readonly flips: number }>,
): string {
  const flipsOf = (name: string) => tally.get(name)?.flips ?? 0;
  const least = Math.min(...names.map(flipsOf));
  return pick(
    random,
    names.filter((name) => flipsOf(name) === least),
  );
}

/** A flip of one of the cells that its storage takes; what the storage refuses, or that is none, is drawn again. */
async function flipOneOf(
  random: Random,
  name: string,
  cells: readonly { readonly ground: Ground; readonly cell: Cell }[],
  walk: boolean,
): Promise<{ readonly cell: Cell; readonly to: Value; readonly findings: readonly Finding[] }> {
  for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
    const { ground, cell } = pick(random, cells);
    const to = flipped(random, cell.value);
    if (to === null) continue;
    const findings = await ground.tryFlip(cell, to.value, walk);
    if (findings !== null) return { cell, to: to.value, findings };
  }
  throw new Error(`no flip of ${name} in ${DRAWS_MAX} draws (seed ${SEED})`);
}

function print(tally: ReadonlyMap<string, { flips: number; found: number }>, cleanWalks: number): void {
  const byTable = new Map<string, { columns: number; flips: number; found: number }>();
  for (const [name, { flips, found }] of tally) {
    const table = name.slice(0, name.indexOf('.'));
    const sum = byTable.get(table) ?? { columns: 0, flips: 0, found: 0 };
    byTable.set(table, { columns: sum.columns + 1, flips: sum.flips + flips, found: sum.found + found });
  }
  const lines = [...byTable].map(
    ([table, { columns, flips, found }]) =>
      `${table.padEnd(28)}${String(columns).padStart(8)}${String(flips).padStart(8)}${String(found).padStart(8)}`,
  );
  const head = `${'kind of row'.padEnd(28)}${'columns'.padStart(8)}${'flips'.padStart(8)}${'found'.padStart(8)}`;
  console.info(`P9, seed ${SEED}: ${FLIPS} flips, ${cleanWalks} clean walks between\n${[head, ...lines].join('\n')}`);
}

// ── What is flipped, and how it is audited ───────────────────────────────────────────────────────────────────────────

function walletGrounds(): Promise<Ground>[] {
  return WALLETS.map(async (id): Promise<Ground> => {
    const stub = env.WALLET.getByName(walletObjectName(SCOPE, id));
    const row = await env.DB.prepare('SELECT * FROM wallets WHERE id = ?').bind(id).first<WalletRow>();
    if (row === null) throw new Error(`${id} is not listed`);
    const cells = await runInDurableObject(stub, (_, { storage: { sql } }) => {
      const rows = (table: string) => sql.exec(`SELECT * FROM ${table}`).toArray();
      return [
        ...cellsOf('wallet', rows('wallet'), ['wallet_id'], ['frozen', 'alarm_at_ms', 'listed']),
        ...cellsOf('entries', rows('entries'), ['sequence']),
        ...cellsOf('effects', rows('effects'), ['effect_id']),
        ...cellsOf('resolutions', rows('resolutions'), ['payment_id']),
        ...cellsOf('schema_history', rows('schema_history'), ['step'], ['step']),
      ];
    });
    return {
      name: 'wallet:',
      cells,
      tryFlip: (cell, to, walk) =>
        runInDurableObject(stub, async (wallet, { storage: { sql } }) =>
          flippedIn(sql, cell, to, async () => {
            const findings: Finding[] = [];
            let state: LedgerAuditState | null = null;
            do {
              const page = wallet.audit(state);
              findings.push(...findingsOf(row, page));
              state = page.next;
            } while (state !== null);
            return walk ? both(findings) : findings;
          }),
        ),
    };
  });
}

function sagaGrounds(): Promise<Ground>[] {
  const some = [...world.payments.slice(0, 12), ...world.refunds];
  return some.map(async (id): Promise<Ground> => {
    const stub = sagaObjectOf(id);
    const cells = await runInDurableObject(stub, (_, { storage: { kv } }) =>
      cellsOf(
        'commits',
        commitsIn(kv).map((commit) => ({ ...commit })),
        ['sequenceLast'],
      ),
    );
    return {
      name: id.startsWith('pay_') ? 'payment:' : 'refund:',
      cells,
      tryFlip: (cell, to, walk) =>
        runInDurableObject(stub, async (saga, { storage: { kv } }) =>
          flippedInCommits(kv, cell, to, async () => {
            const source = { storedCommits: async (after: number) => saga.storedCommits(after) };
            const { findings } = await lookAtSaga(env.DB, source, id);
            return walk ? both(findings) : findings;
          }),
        ),
    };
  });
}

function sagaObjectOf(id: string): DurableObjectStub<PaymentSaga | RefundSaga> {
  const [payment, refund] = [paymentObjectId(env, id), refundObjectId(env, id)];
  if (payment !== null) return env.PAYMENT_SAGA.get(payment);
  if (refund !== null) return env.REFUND_SAGA.get(refund);
  throw new Error(`${id} leads nowhere`);
}

async function recordGrounds(): Promise<Ground[]> {
  const rows = async (table: string) => (await env.DB.prepare(`SELECT * FROM ${table}`).all()).results;
  const groupIds = new Map((await rows('events')).map((row) => [String(row.group_id), row]));
  const entityOfGroup = (groupId: Value) => String(groupId).slice(String(groupId).indexOf('_') + 1);
  const known = new Set([...world.payments, ...world.refunds]);
  const look = async (id: string): Promise<readonly Finding[]> => {
    const page = await post('/ops/audit', { ids: [id] });
    return (await page.json<AuditPage>()).findings;
  };
  const listed = async (table: 'payments' | 'refunds', id: string) => {
    const ids = await sagaIdsAfter(env.DB, table, '', 1_000);
    const asked = ids.filter((each) => each === id || !known.has(each));
    return (await Promise.all(asked.map(look))).flat();
  };
  const events = async () => {
    const start = { part: 'events' as const, after: { groupId: '', first: 0 }, counted: {}, trimNumber: 0 };
    return (await auditFrom(env, { ...start, before: await readCounters(env.DB) })).findings;
  };
  const inD1 = (cells: readonly Cell[], audit: (cell: Cell) => Promise<readonly Finding[]>): Ground => ({
    name: 'D1:',
    cells,
    tryFlip: async (cell, to, walk) =>
      isOfCostsAlone(cell, to)
        ? null
        : flippedInD1(cell, to, async () => (walk ? both(await audit(cell)) : audit(cell))),
  });
  expect(groupIds.size).toBe(known.size);
  return [
    inD1(cellsOf('payments', await rows('payments'), ['id'], NOT_OF_THE_ROW), ({ key }) =>
      listed('payments', String(key.id)),
    ),
    inD1(cellsOf('refunds', await rows('refunds'), ['id'], NOT_OF_THE_ROW), ({ key }) =>
      listed('refunds', String(key.id)),
    ),
    inD1(cellsOf('events', await rows('events'), ['group_id', 'sequence_first']), async ({ key }) => [
      ...(await look(entityOfGroup(key.group_id ?? null))),
      ...(await events()),
    ]),
    inD1(
      cellsOf(
        'metric_counters',
        (await rows('metric_counters')).filter(({ series }) => !String(series).startsWith('metrics.notification.')),
        ['series'],
      ).filter(({ column, value }) => column !== 'sums' || value !== null),
      events,
    ),
    inD1(cellsOf('wallets', await rows('wallets'), ['merchant', 'mode', 'id']), async () => {
      const page = await auditFrom(env, null);
      return page.findings;
    }),
    inD1(cellsOf('audit_log', await rows('audit_log'), ['id']), async () => {
      const page = await auditFrom(env, { part: 'audit_log', head: EMPTY_LOG });
      return page.findings;
    }),
  ];
}

/** The audit of the one thing, and the whole walk: what the one finds, the other does. */
async function both(findings: readonly Finding[]): Promise<readonly Finding[]> {
  const walk = await walkFindings();
  return findings.length > 0 && walk.length > 0 ? findings : [];
}

async function flippedIn<Result>(
  sql: SqlStorage,
  cell: Cell,
  to: Value,
  audit: () => Promise<Result>,
): Promise<Result | null> {
  const flip = updateOf(cell, to);
  try {
    if (sql.exec(flip.sql, ...flip.values).rowsWritten === 0) return null;
  } catch {
    // A constraint of the table: the storage would not hold such a value.
    return null;
  }
  try {
    return await audit();
  } finally {
    const restore = updateOf(cell, cell.value, keyAfter(cell, to));
    sql.exec(restore.sql, ...restore.values);
  }
}

/** As `flippedIn`: what a saga's object stores is one value, which holds anything. */
async function flippedInCommits<Result>(
  kv: SyncKvStorage,
  { column, key }: Cell,
  to: Value,
  audit: () => Promise<Result>,
): Promise<Result> {
  const before = kv.get<Head>(SAGA_KEY);
  editCommits(kv, (commit) => (commit.sequenceLast === key.sequenceLast ? { ...commit, [column]: to } : commit));
  try {
    return await audit();
  } finally {
    kv.put(SAGA_KEY, before);
  }
}

/** A flip of the sums that changes only what payments cost: drawn again, since no event tells of it. */
function isOfCostsAlone({ column, value }: Cell, to: Value): boolean {
  const rest = (sums: Value) => String(sums).replaceAll(/"cost\|\w+":\d+,?/g, '');
  return column === 'sums' && rest(value) === rest(to);
}

async function flippedInD1<Result>(cell: Cell, to: Value, audit: () => Promise<Result>): Promise<Result | null> {
  const flip = updateOf(cell, to);
  try {
    const { meta } = await env.DB.prepare(flip.sql)
      .bind(...flip.values)
      .run();
    if (meta.changes === 0) return null;
  } catch {
    // A constraint of the table: the storage would not hold such a value.
    return null;
  }
  try {
    return await audit();
  } finally {
    const restore = updateOf(cell, cell.value, keyAfter(cell, to));
    await env.DB.prepare(restore.sql)
      .bind(...restore.values)
      .run();
  }
}
