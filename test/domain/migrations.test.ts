// Migrations that change rows, on a database as an older version left it. In Node's own SQLite: D1 is the same engine.
import { readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import fixtures from './fixtures/events-v1.json';

const FOLDER = 'migrations';
const [event] = fixtures as Envelope[];
const PUBLICATION = {
  kind: 'publication',
  group_id: 'refund_ref_1',
  refund: { merchant: 'shop', mode: 'live' },
  runs: [],
};

/** A database with every migration before `until`, and how to go on from there. */
function before(until: string) {
  const files = readdirSync(FOLDER).sort();
  const db = new DatabaseSync(':memory:');
  const apply = (names: readonly string[]) => {
    for (const name of names) db.exec(readFileSync(`${FOLDER}/${name}`, 'utf8'));
  };
  apply(files.filter((name) => name < until));
  return { db, finish: () => apply(files.filter((name) => name >= until)) };
}

test('0006 finds out of their bodies whose the letters are, keeps every one, and counts them', () => {
  const { db, finish } = before('0006');
  const insert = db.prepare(
    `INSERT INTO dead_letters (id, queue, reason, message_type, group_id, effect_id, body, died_at_ms)
     VALUES (?, 'q', 'r', ?, ?, ?, ?, 1)`,
  );
  insert.run('a', 'orchestrator.wallet.debit', 'payment_pay_1', 'effect', JSON.stringify(event));
  insert.run('b', null, null, null, JSON.stringify(PUBLICATION));
  insert.run('c', null, null, null, '"not an event"');
  insert.run('d', 'orchestrator.wallet.debit', 'payment_pay_1', 'effect', JSON.stringify(event).slice(0, 100));
  insert.run('e', null, null, null, '{"kind":"publication"}');
  finish();
  const rows = db
    .prepare('SELECT id, message_type, group_id, merchant, mode, status FROM dead_letters ORDER BY id')
    .all();
  const { merchant, mode } = event?.metadata ?? {};
  const debit = { message_type: 'orchestrator.wallet.debit', group_id: 'payment_pay_1', status: 'present' };
  const unread = { message_type: null, group_id: null, merchant: null, mode: null, status: 'present' };
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { id: 'a', ...debit, merchant, mode },
    {
      id: 'b',
      message_type: 'publication',
      group_id: 'refund_ref_1',
      merchant: 'shop',
      mode: 'live',
      status: 'present',
    },
    { id: 'c', ...unread },
    { id: 'd', ...debit, merchant: null, mode: null },
    { id: 'e', ...unread },
  ]);
  const counted = db.prepare("SELECT value FROM metric_counters WHERE series = 'dead_letters.stored'").get();
  expect(counted?.value).toBe(5);
});

test.each([
  ['of no known status', "status = 'lost'"],
  ['redriven with no outcome', "status = 'redriven', resolved_at_ms = 1, resolved_by = 'j', resolution_reason = 'r'"],
  ['discarded with no reason', "status = 'discarded', resolved_at_ms = 1, resolved_by = 'j'"],
  ['discarded by nobody', "status = 'discarded', resolved_at_ms = 1, resolution_reason = 'r'"],
  ['discarded at no time', "status = 'discarded', resolved_by = 'j', resolution_reason = 'r'"],
  ['present with a reason', "resolution_reason = 'r'"],
])('a dead letter is never %s', (_what, change) => {
  const { db, finish } = before('0006');
  finish();
  db.exec("INSERT INTO dead_letters (id, queue, reason, body, died_at_ms) VALUES ('a', 'q', 'r', '1', 1)");
  expect(() => db.exec(`UPDATE dead_letters SET ${change}`)).toThrow('CHECK constraint failed');
});

test('0016 leaves the letters that are there, several of one effect too, as they are, each once', () => {
  const { db, finish } = before('0016');
  const insert = db.prepare(
    `INSERT INTO dead_letters (id, queue, reason, message_type, group_id, effect_id, body, died_at_ms, merchant, mode)
     VALUES (?, 'q', 'r', 'orchestrator.wallet.debit', 'payment_pay_1', 'effect', '{}', 1, 'shop', 'live')`,
  );
  for (const id of ['a', 'b', 'c']) insert.run(id);
  db.exec(
    "UPDATE dead_letters SET status = 'discarded', resolved_at_ms = 2, resolved_by = 'j', resolution_reason = 'r' WHERE id = 'c'",
  );
  const rows = () =>
    db
      .prepare('SELECT * FROM dead_letters ORDER BY id')
      .all()
      .map((row) => ({ ...row }));
  const old = rows();
  finish();
  const added = { waits_for: null, death_count: 1, last_died_at_ms: null, last_message_id: null };
  expect(rows()).toEqual(old.map((row) => ({ ...row, ...added })));
  // From here on, one that is present of what waits for the same.
  db.exec("UPDATE dead_letters SET waits_for = 'k' WHERE id IN ('a', 'c')");
  expect(() => db.exec("UPDATE dead_letters SET waits_for = 'k' WHERE id = 'b'")).toThrow('UNIQUE constraint failed');
});

test('counters from before there were sums stay as they are, and no series but `runs` may have any', () => {
  const { db, finish } = before('0010');
  db.exec("INSERT INTO metric_counters (series, value) VALUES ('metrics.payment.success', 7)");
  finish();
  const rows = db
    .prepare('SELECT series, value, sums FROM metric_counters')
    .all()
    .map((row) => ({ ...row }));
  expect(rows).toEqual([{ series: 'metrics.payment.success', value: 7, sums: null }]);
  for (const values of ["'metrics.x', 1, '{}'", "'runs', 1, NULL", "'runs', 1, '{'"]) {
    expect(() => db.exec(`INSERT INTO metric_counters (series, value, sums) VALUES (${values})`), values).toThrow(
      'CHECK',
    );
  }
});
