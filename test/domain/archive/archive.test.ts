/** The archive's pure parts: which payments may be asked for, what an object is called and proves, what a dossier holds. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { askedNotBeforeMs, searchedUntilMs } from '../../../src/domain/archive/candidates.ts';
import {
  type ArchivedSaga,
  checkSaga,
  countsOfRuns,
  type Dossier,
  dossierSchema,
  sagasOf,
} from '../../../src/domain/archive/dossier.ts';
import {
  linesOf,
  type Manifest,
  manifestKeyOf,
  manifestSchema,
  ndjsonOf,
  objectKeyOf,
  problemOfObject,
} from '../../../src/domain/archive/manifest.ts';
import { compareCounters } from '../../../src/domain/audit/counters.ts';
import { ARCHIVE_WAIT_MS, RETENTION_MS } from '../../../src/domain/limits.ts';
import { paymentRow } from '../../../src/domain/payment-view.ts';
import { logHashOf, rowHashOf, type Tombstone } from '../../../src/domain/saga/tombstone.ts';
import { gatewayFact, SagaDriver, START_MS, walletFact } from '../../support/saga.ts';

describe('owners are asked', () => {
  const NOW_MS = 10 * RETENTION_MS;

  test('when the retention of the payment and of every refund is over', () => {
    const ended = (updatedAtMs: number) => ({ status: 'COMPLETED', updated_at_ms: updatedAtMs });
    expect(askedNotBeforeMs([ended(5)], NOW_MS)).toBe(5 + RETENTION_MS);
    expect(askedNotBeforeMs([ended(5), ended(9), ended(7)], NOW_MS)).toBe(9 + RETENTION_MS);
    expect(askedNotBeforeMs([{ ...ended(5), status: 'FAILED' }], NOW_MS)).toBe(5 + RETENTION_MS);
  });

  test('not while one of them has not ended', () => {
    const running = { status: 'PENDING', updated_at_ms: 1 };
    expect(askedNotBeforeMs([running], NOW_MS)).toBe(NOW_MS + ARCHIVE_WAIT_MS);
    expect(askedNotBeforeMs([{ status: 'COMPLETED', updated_at_ms: 1 }, running], NOW_MS)).toBe(
      NOW_MS + ARCHIVE_WAIT_MS,
    );
  });

  test('of nothing that is younger than the retention', () => {
    expect(searchedUntilMs(NOW_MS)).toBe(NOW_MS - RETENTION_MS);
  });
});

describe('an object of the archive', () => {
  const OWNER = { merchant: 'shop', mode: 'live' };

  test('has a name that follows from the keys of its rows, its owner and the day of the first', () => {
    const name = objectKeyOf('payments', OWNER, Date.UTC(2026, 10, 24, 23, 59), ['a', 'b']);
    expect(name).toMatch(/^payments\/live\/shop\/2026-11-24\/[0-9a-f]{32}\.ndjson\.gz$/);
    expect(objectKeyOf('payments', OWNER, Date.UTC(2026, 10, 24), ['a', 'b'])).toBe(name);
    for (const keys of [['a'], ['b', 'a'], ['ab'], ['a', 'b', 'c'], [['a'], ['b']]]) {
      expect(objectKeyOf('payments', OWNER, Date.UTC(2026, 10, 24), keys)).not.toBe(name);
    }
    expect(objectKeyOf('dead_letters', null, 0, ['a'])).toMatch(/^dead_letters\/all\/1970-01-01\//);
    expect(objectKeyOf('payments', { merchant: '../x', mode: 'live' }, 0, [])).toMatch(
      /^payments\/live\/\.\.%2Fx\/1970/,
    );
    expect(manifestKeyOf(name)).toBe(name.replace('.ndjson.gz', '.manifest.json'));
  });

  test('is what its manifest says, byte for byte', () => {
    const bytes = new TextEncoder().encode('some bytes');
    const manifest: Manifest = {
      format: 1,
      object_key: 'k',
      kind: 'payments',
      rows: { lines: 1 },
      first_key: 'a',
      last_key: 'b',
      newest_at: '2026-11-24T00:00:00.000Z',
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    };
    expect(manifestSchema.parse(manifest)).toEqual(manifest);
    expect(() => manifestSchema.parse({ ...manifest, sha256: 'x' })).toThrow();
    expect(problemOfObject(manifest, bytes)).toBeNull();
    expect(problemOfObject(manifest, bytes.slice(1))).toBe('has 9 bytes, not 10');
    expect(
      problemOfObject(
        manifest,
        bytes.map((byte) => byte ^ 1),
      ),
    ).toBe('has another hash than its manifest says');
  });

  test('has a line for each row, whatever is in it', () => {
    const rows = [{ a: 'one\ntwo\u2028' }, [1, null], 'x'];
    expect(ndjsonOf(rows).split('\n')).toHaveLength(4);
    expect(linesOf(ndjsonOf(rows))).toEqual(rows);
    expect(linesOf('')).toEqual([]);
    expect(() => linesOf('{"a":1}\n{')).toThrow();
  });
});

describe('a dossier', () => {
  const driver = new SagaDriver();
  driver.outcome('hold', walletFact('hold'));
  driver.outcome('authorize', gatewayFact('authorize', { gateway_status: 'AUTHORIZED' }));
  driver.outcome('debit', walletFact('debit'));
  const row = paymentRow(driver.saga);
  const events = JSON.parse(JSON.stringify(driver.events)) as ArchivedSaga['runs'][number]['events'];
  const tombstone: Tombstone = {
    entityId: row.id,
    expiredAtMs: START_MS,
    remains: {
      merchant: row.merchant,
      mode: row.mode,
      status: row.status,
      createdAtMs: row.created_at_ms,
      sequence: row.sequence,
      seal: null,
      logHash: logHashOf(events),
      rowHash: rowHashOf(row),
    },
  };
  const run = (from: number, to: number) => ({
    first: from + 1,
    last: to,
    created_at_ms: START_MS,
    events: events.slice(from, to),
  });
  const saga: ArchivedSaga = {
    row: { ...row },
    runs: [run(0, 2), run(2, events.length)],
    tombstone: { ...tombstone },
  };
  const dossier: Dossier = { format: 1, payment: saga, refunds: [], notifications: [{ id: 'n', group_id: 'g' }] };

  test('survives being written', () => {
    expect(linesOf(ndjsonOf([dossier])).map((line) => dossierSchema.parse(line))).toEqual([dossier]);
    expect(() => dossierSchema.parse({ ...dossier, format: 2 })).toThrow();
    const refund = { ...saga, row: { ...saga.row, id: 'ref_1' } };
    expect(sagasOf({ payment: saga, refunds: [refund] })).toEqual([saga, refund]);
  });

  test('is checked against a tombstone: row, log, and whose it is', () => {
    const whats = (one: ArchivedSaga, own = tombstone) =>
      checkSaga(one, own).map(({ where, rule, what }) => {
        expect(rule).toBe('seal');
        return [where, what];
      });
    expect(whats(saga)).toEqual([]);
    expect(whats({ ...saga, row: { ...saga.row, status: 'FAILED' } })).toEqual([
      [row.id, 'the row is not what its tombstone proves'],
    ]);
    expect(whats({ ...saga, runs: [run(0, 2)] })).toEqual([[row.id, 'the log is not what its tombstone proves']]);
    for (const label of [{ first: 2 }, { last: 1 }, { created_at_ms: START_MS + 1 }]) {
      expect(whats({ ...saga, runs: [{ ...run(0, 2), ...label }, run(2, events.length)] })).toEqual([
        [row.id, `the run from ${label.first ?? 1} is not what its events say`],
      ]);
    }
    expect(whats({ ...saga, row: { ...saga.row, body: '' } })).toEqual([
      [row.id, 'the row cannot be read: SyntaxError'],
    ]);
    expect(whats(saga, { ...tombstone, entityId: 'pay_x' })).toEqual([[row.id, 'its tombstone is of another saga']]);
    expect(whats({ ...saga, runs: [] }, { ...tombstone, remains: null })).toEqual([]);
  });

  test('counts what its runs moved as the log did', () => {
    const counts = countsOfRuns([dossier, dossier]);
    expect(counts['metrics.payment.success']).toBe(2);
    expect(countsOfRuns([dossier])).toEqual(
      Object.fromEntries(Object.entries(counts).map(([series, count]) => [series, count / 2])),
    );
    const refund = { ...saga, row: { ...saga.row, id: 'ref_1' } };
    expect(countsOfRuns([{ ...dossier, refunds: [refund] }])).toEqual(counts);
    expect(countsOfRuns([])).toEqual({});
  });
});

describe('counters, while logs are trimmed', () => {
  const SERIES = 'metrics.payment.success';
  const holds = (counted: number, before: number, after: number, meanwhile: number) =>
    compareCounters({ [SERIES]: counted }, { [SERIES]: before }, { [SERIES]: after }, { [SERIES]: meanwhile });

  test('are what was counted, with as much of what went meanwhile as was missed', () => {
    expect(holds(5, 5, 5, 0)).toEqual([]);
    expect(holds(3, 5, 5, 2)).toEqual([]);
    expect(holds(5, 5, 5, 2)).toEqual([]);
    expect(holds(4, 5, 6, 1)).toEqual([]);
    expect(compareCounters({ [SERIES]: 1 }, { [SERIES]: 1 }, { [SERIES]: 1 })).toEqual([]);
  });

  test('are found wrong beyond that', () => {
    expect(holds(2, 5, 5, 2)).toMatchObject([{ what: 'says 5; the event log has 2 to 4' }]);
    expect(holds(6, 5, 5, 2)).toMatchObject([{ what: 'says 5; the event log has 6 to 8' }]);
    expect(holds(4, 5, 5, 0)).toMatchObject([{ what: 'says 5; the event log has 4' }]);
  });
});
