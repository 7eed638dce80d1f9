/** The audit of counters, totals and the operators' log, as rules over rows. */
import { describe, expect, test } from 'vitest';
import { compareCounters, countEvents, countsOf, type EventRow } from '../../src/domain/audit/counters.ts';
import {
  auditOperatorsLog,
  EMPTY_LOG,
  type OperatorsLogRow,
  operatorsLogHash,
  previousHashOf,
} from '../../src/domain/audit/operators-log.ts';
import { addBalances, auditTotals } from '../../src/domain/audit/totals.ts';
import { canonicalJson, sha256Hex } from '../../src/domain/canonical.ts';
import { COST_SERIES } from '../../src/domain/cost/series.ts';
import { DEAD_LETTER_SERIES } from '../../src/domain/dead-letter.ts';
import { WEBHOOK_SERIES } from '../../src/domain/webhook.ts';

const SUCCESS = 'metrics.payment.success';

function run(first: number, types: readonly string[], changes: Partial<EventRow> = {}): EventRow {
  const events = JSON.stringify(types.map((event_type) => ({ event_type })));
  return { groupId: 'payment_pay_1', first, last: first + types.length - 1, events, ownerCreatedAtMs: 0, ...changes };
}

describe('counters', () => {
  test('are counted over pages, metrics alone', () => {
    const first = countEvents({}, [run(1, ['payment.created', SUCCESS]), run(3, [SUCCESS])]);
    const second = countEvents(first.counts, [run(4, [SUCCESS, 'metrics.gateway.unknown'])]);
    expect(second).toEqual({ counts: { [SUCCESS]: 3, 'metrics.gateway.unknown': 1 }, findings: [] });
  });

  test.each<[string, Partial<EventRow>, readonly string[]]>([
    ['no JSON', { events: '[{' }, ['the run cannot be read: SyntaxError']],
    ['no list', { events: '{}' }, ['has undefined events', 'the run cannot be read: TypeError']],
    ['fewer events than it says', { last: 9 }, ['has 1 events']],
    ['no payment', { ownerCreatedAtMs: null }, ['the record has no payment or refund of it']],
  ])('finds a run with %s', (_, changes, whats) => {
    expect(countEvents({}, [run(1, [SUCCESS], changes)]).findings).toEqual(
      whats.map((what) => ({ where: 'run 1 of pay_1', rule: 'S9', what })),
    );
  });

  test.each([
    [3, 3, 3, 0],
    [3, 2, 3, 0],
    [3, 3, 9, 0],
    [3, 4, 4, 1],
    [3, 2, 2, 1],
    [0, 0, 1, 0],
    [3, 0, 0, 1],
  ])('a count of %i between %i before and %i after is %i findings', (count, before, after, findings) => {
    const result = compareCounters({ [SUCCESS]: count }, { [SUCCESS]: before }, { [SUCCESS]: after });
    expect(result).toHaveLength(findings);
  });

  test('tells what the counter says and what the log has, each as a range where it moved meanwhile', () => {
    const findings = (count: number, before: number, after: number, meanwhile: number) =>
      compareCounters({ [SUCCESS]: count }, { [SUCCESS]: before }, { [SUCCESS]: after }, { [SUCCESS]: meanwhile });
    const told = (what: string) => [{ where: `counter ${SUCCESS}`, rule: 'counter', what }];
    expect(findings(3, 4, 4, 0)).toEqual(told('says 4; the event log has 3'));
    expect(findings(3, 6, 7, 2)).toEqual(told('says 6 to 7; the event log has 3 to 5'));
    expect(findings(3, 5, 7, 2)).toEqual([]);
  });

  test('finds a series that no event moves', () => {
    const stored = { 'metrics.payment.succest': 0 };
    expect(compareCounters({}, stored, stored)).toEqual([
      { where: 'counter metrics.payment.succest', rule: 'counter', what: 'no event of the catalogue moves it' },
    ]);
  });

  test.each([...Object.values(WEBHOOK_SERIES), ...Object.values(DEAD_LETTER_SERIES), ...COST_SERIES])(
    'leaves %s, which others report',
    (series) => {
      expect(compareCounters({}, { [series]: 5 }, { [series]: 5 })).toEqual([]);
    },
  );

  test('have no sums where their row holds none', () => {
    expect(countsOf([{ series: SUCCESS, value: 2, sums: null }])).toEqual({ [SUCCESS]: 2 });
  });
});

describe('sums', () => {
  const AT_MS = Date.parse('2026-11-24T12:00:00.000Z');
  const NAME = 'end|payment|completed|250';
  const ended: EventRow = {
    groupId: 'payment_pay_1',
    first: 3,
    last: 3,
    events: JSON.stringify([{ event_type: 'payment.completed', timestamp: '2026-11-24T12:00:00.120Z', payload: {} }]),
    ownerCreatedAtMs: AT_MS,
  };

  test('are what the runs amount to, with how many runs added to them', () => {
    expect(countEvents({}, [ended, run(1, ['payment.created'])])).toEqual({
      counts: { [NAME]: 1, 'end|payment|completed|ms': 120, runs: 1 },
      findings: [],
    });
  });

  test('of failures are of the runs that tell their codes: those of older versions have none to miss', () => {
    const failed = (first: number, payload: object) =>
      run(first, [], { last: first, events: JSON.stringify([{ event_type: 'metrics.payment.failure', payload }]) });
    const { counts } = countEvents({}, [failed(1, {}), failed(2, { failure_code: 'wallet_frozen' })]);
    expect(counts).toEqual({ 'metrics.payment.failure': 2, 'payments|failed|wallet_frozen': 1, runs: 1 });
    expect(compareCounters(counts, counts, counts)).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, number]>([
    ['the same', { [NAME]: 1 }, 0],
    ['another', { [NAME]: 2 }, 1],
    ['none', {}, 1],
    ['no number', { [NAME]: '1' }, 1],
    ['no whole number', { [NAME]: 1.5 }, 1],
    ['one more', { [NAME]: 1, 'end|payment|failed|250': 1 }, 1],
    ['one that nothing moves', { [NAME]: 1, 'and|payment': 0 }, 1],
  ])('a stored row with %s is %j: %i findings', (_what, sums, findings) => {
    const stored = countsOf([{ series: 'runs', value: 1, sums: JSON.stringify(sums) }]);
    expect(compareCounters({ [NAME]: 1, runs: 1 }, stored, stored)).toHaveLength(findings);
  });
});

describe('totals', () => {
  const sound = { available: 5, held: 2, settled: 3, external: 10 };

  test('of sound wallets are sound, by currency, past what a number holds', () => {
    const large = { available: 9e15, held: 0, settled: 0, external: 9e15 };
    let totals = addBalances({}, 'USD', sound);
    for (let n = 0; n < 10; n++) totals = addBalances(totals, 'EUR', large);
    expect(totals).toMatchObject({ USD: { external: '10' }, EUR: { available: '90000000000000000' } });
    expect(auditTotals(totals)).toEqual([]);
  });

  test('do not offset each other across currencies', () => {
    const more = addBalances({}, 'USD', { ...sound, settled: 4 });
    const both = addBalances(more, 'EUR', { ...sound, settled: 2 });
    expect(auditTotals(both).map(({ where, rule, what }) => `${rule}, ${where}: ${what}`)).toEqual([
      'X1, all wallets in USD: available + held + settled − external is 1',
      'X1, all wallets in EUR: available + held + settled − external is -1',
    ]);
  });
});

describe("the operators' log", () => {
  function logOf(length: number): OperatorsLogRow[] {
    const rows: OperatorsLogRow[] = [];
    for (let id = 1; id <= length; id++) {
      const previous_hash = previousHashOf(rows.at(-1) ?? EMPTY_LOG);
      const unsealed = { actor: 'jane', action: 'a.b', subject: 's', reason: `r ${id}`, previous_hash, hash: null };
      // Some were made with a key, some where authentication was open.
      const credential = id % 2 === 0 ? `ak_${id}` : null;
      const row = { id, at_ms: id, merchant: 'default', mode: 'live', credential, ...unsealed };
      rows.push({ ...row, hash: operatorsLogHash(row) });
    }
    return rows;
  }

  test('is sound in pages of any size', () => {
    const rows = logOf(7);
    for (const size of [1, 2, 3, 7]) {
      let head = EMPTY_LOG;
      for (let from = 0; from < rows.length; from += size) {
        const page = auditOperatorsLog(head, rows.slice(from, from + size));
        expect(page.findings).toEqual([]);
        head = page.head;
      }
      expect(head).toEqual({ id: 7, hash: rows[6]?.hash });
    }
  });

  test.each<[string, (rows: OperatorsLogRow[]) => OperatorsLogRow[]]>([
    ['one is gone', (rows) => rows.toSpliced(3, 1)],
    ['the first is gone', (rows) => rows.slice(1)],
    ['one was edited', (rows) => rows.with(3, { ...(rows[3] as OperatorsLogRow), reason: 'other' })],
    ['one was made with another key', (rows) => rows.with(3, { ...(rows[3] as OperatorsLogRow), credential: 'ak_9' })],
    ['one was made with a key', (rows) => rows.with(3, { ...(rows[3] as OperatorsLogRow), credential: null })],
    ['one was made with none', (rows) => rows.with(2, { ...(rows[2] as OperatorsLogRow), credential: 'ak_9' })],
    ['two have changed places', (rows) => rows.toSpliced(3, 2, ...rows.slice(3, 5).reverse())],
    [
      'one was edited and hashed again',
      (rows) => {
        const edited = { ...(rows[3] as OperatorsLogRow), reason: 'other' };
        return rows.with(3, { ...edited, hash: operatorsLogHash(edited) });
      },
    ],
  ])('finds that %s', (_, change) => {
    expect(auditOperatorsLog(EMPTY_LOG, change(logOf(7))).findings.length).toBeGreaterThan(0);
  });

  test('hashes a row without a credential as it was hashed before rows had any', () => {
    const [row] = logOf(1);
    if (row === undefined) throw new Error('no row');
    const { credential: _, hash, ...before } = row;
    expect(hash).toBe(sha256Hex(canonicalJson(before)));
  });

  test('cannot tell that the newest were cut off, but for its head', () => {
    const { findings, head } = auditOperatorsLog(EMPTY_LOG, logOf(7).slice(0, 5));
    expect(findings).toEqual([]);
    expect(head.id).toBe(5);
  });
});
