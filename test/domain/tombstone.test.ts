/** What is left of a saga: when it may be, what it proves of log and row, and what the auditor makes of it. */
import { describe, expect, test } from 'vitest';
import { auditTombstone, type RecordedSaga } from '../../src/domain/audit/saga.ts';
import { RECORD_ROW_RETENTION_MS, RETENTION_MS } from '../../src/domain/limits.ts';
import type { PaymentRow } from '../../src/domain/messages.ts';
import type { LateAuthorization } from '../../src/domain/payment.ts';
import { reserveRefund, settleRefund } from '../../src/domain/payment-refunds.ts';
import { PAYMENT_KIND, paymentRow } from '../../src/domain/payment-view.ts';
import type { RefundData } from '../../src/domain/refund.ts';
import { REFUND_KIND } from '../../src/domain/refund-view.ts';
import { PAYMENT_SAGA } from '../../src/domain/saga/payment-saga.ts';
import { afterAcknowledgement, beginRecord } from '../../src/domain/saga/record.ts';
import {
  isOwnedBy,
  logHashOf,
  retentionVerdict,
  rowHashOf,
  type Tombstone,
  tombstoneOf,
} from '../../src/domain/saga/tombstone.ts';
import { RefundDriver } from '../support/refund-saga.ts';
import { gatewayFact, SagaDriver, START_MS, walletFact } from '../support/saga.ts';

/** A completed payment at rest, and its driver. */
function rested() {
  const driver = new SagaDriver();
  const record = beginRecord(
    PAYMENT_KIND,
    'fingerprint',
    { saga: driver.saga, events: driver.events, send: driver.sent },
    driver.context(),
  ).record;
  driver.outcome('hold', walletFact('hold'));
  driver.outcome('authorize', gatewayFact('authorize', { gateway_status: 'AUTHORIZED' }));
  driver.outcome('debit', walletFact('debit'));
  expect(driver.saga.state).toBe('completed');
  const ended = { ...record, saga: driver.saga, terminalBody: '{}', closedSequence: driver.saga.sequence };
  const effectIds = driver.saga.pending.flatMap(({ event }) => event?.metadata.message_deduplication_id ?? []);
  const all = { first: 1, last: driver.saga.sequence };
  return { driver, record: afterAcknowledgement(ended, { effectIds, events: all }, START_MS) as typeof ended };
}

describe('the retention', () => {
  test('is over exactly 30 days after the last change, of a saga at rest alone', () => {
    const { record } = rested();
    const dueMs = record.saga.data.updatedAtMs + RETENTION_MS;
    expect(retentionVerdict(PAYMENT_KIND, record, dueMs - 1)).toBe('not_yet');
    expect(retentionVerdict(PAYMENT_KIND, record, dueMs)).toBe('due');
    for (const busy of [{ terminalBody: null }, { publishDueAtMs: 1 }]) {
      expect(retentionVerdict(PAYMENT_KIND, { ...record, ...busy }, dueMs * 2)).toBe('not_yet');
    }
  });

  test('waits for a refund that has its amount reserved, and for no other', () => {
    const { driver, record } = rested();
    const { data } = reserveRefund(record.saga, 'ref_1', 100);
    if (data === null) throw new Error('not reserved');
    const reserved = { ...record.saga, data };
    const dueMs = data.updatedAtMs + RETENTION_MS;
    expect(retentionVerdict(PAYMENT_KIND, { ...record, saga: reserved }, dueMs)).toBe('held_back');
    expect(retentionVerdict(PAYMENT_KIND, { ...record, saga: reserved }, dueMs - 1)).toBe('not_yet');
    for (const settlement of ['completed', 'released'] as const) {
      const settled = settleRefund(reserved, 'ref_1', settlement, driver.context())?.saga;
      if (settled === undefined) throw new Error('not settled');
      const later = settled.data.updatedAtMs + RETENTION_MS;
      expect(retentionVerdict(PAYMENT_KIND, { ...record, saga: settled }, later)).toBe('due');
    }
    // A kind on which nothing stands.
    expect(retentionVerdict({ table: PAYMENT_SAGA }, { ...record, saga: reserved }, dueMs)).toBe('due');
  });
});

test('what has ended and waits for a person is kept until that has been seen to', () => {
  const { record } = rested();
  const late = { provider: 'acme', reference: 'ch_late', captured: false, notUndone: 'refused' as const };
  const { notUndone: _, ...undone } = late;
  const payment = (each: LateAuthorization) => ({ ...record.saga, data: { ...record.saga.data, late: [each] } });
  const dueMs = record.saga.data.updatedAtMs + RETENTION_MS;
  expect(retentionVerdict(PAYMENT_KIND, { ...record, saga: payment(late) }, dueMs - 1)).toBe('not_yet');
  expect(retentionVerdict(PAYMENT_KIND, { ...record, saga: payment(late) }, 10 * dueMs)).toBe('held_back');
  expect(retentionVerdict(PAYMENT_KIND, { ...record, saga: payment(undone) }, dueMs)).toBe('due');

  const { saga } = new RefundDriver();
  const ended = { ...saga, state: 'failed' as const, pending: [] };
  const refund = (data: RefundData) =>
    retentionVerdict(REFUND_KIND, { ...record, saga: { ...ended, data } }, saga.data.updatedAtMs + RETENTION_MS);
  expect(refund({ ...ended.data, givenAfterFailure: true })).toBe('held_back');
  expect(refund(ended.data)).toBe('due');
});

describe('a tombstone', () => {
  const { driver, record } = rested();
  const tombstone = tombstoneOf(PAYMENT_KIND, record, driver.events, 'seal', 77);
  const row = paymentRow(record.saga);

  test('says whose it was and how it ended, and has the hashes of log and row', () => {
    expect(tombstone).toEqual({
      entityId: row.id,
      expiredAtMs: 77,
      remains: {
        merchant: row.merchant,
        mode: row.mode,
        status: 'COMPLETED',
        createdAtMs: row.created_at_ms,
        sequence: record.saga.sequence,
        seal: 'seal',
        logHash: logHashOf(driver.events),
        rowHash: rowHashOf(row),
      },
    });
    const { merchant, mode } = row;
    expect(isOwnedBy(tombstone, { merchant, mode })).toBe(true);
    expect(isOwnedBy(tombstone, { merchant: 'other', mode })).toBe(false);
    expect(isOwnedBy(tombstone, { merchant, mode: 'live' })).toBe(false);
    expect(isOwnedBy({ ...tombstone, remains: null }, { merchant, mode })).toBe(false);
  });

  test('proves every column that the owner decides, and none that the record adds', () => {
    const hash = rowHashOf(row);
    for (const name of Object.keys(row).filter((column) => column !== 'body')) {
      expect(rowHashOf({ ...row, [name]: 'another' }), name).not.toBe(hash);
    }
    expect(rowHashOf({ ...row, payment_id: 'pay_1' })).not.toBe(hash);
    const view = JSON.parse(row.body) as Record<string, unknown>;
    expect(rowHashOf({ ...row, body: JSON.stringify({ ...view, refunded_amount: 1 }) })).not.toBe(hash);
    const spelled = JSON.stringify(Object.fromEntries(Object.entries(view).reverse()), null, 1);
    expect(rowHashOf({ ...row, body: spelled })).toBe(hash);
    expect(rowHashOf({ ...row, body: JSON.stringify({ ...view, next_check_at: 'x' }) })).toBe(hash);
    expect(rowHashOf({ ...row, swept_at_ms: 5, saga_state: 'x', next_check_at: 'y', archive_id: 3 })).toBe(hash);
    expect(rowHashOf({ ...row, attention: undefined })).toBe(hash);
    expect(() => rowHashOf({ ...row, body: 'no JSON' })).toThrow();
    expect(rowHashOf({})).toMatch(/^[0-9a-f]{64}$/);
  });

  test('proves each event, their order and their number, in any spelling', () => {
    const events = JSON.parse(JSON.stringify(driver.events)) as Record<string, unknown>[];
    const hash = logHashOf(events);
    expect(logHashOf(driver.events)).toBe(hash);
    expect(logHashOf(events.map((event) => Object.fromEntries(Object.entries(event).reverse())))).toBe(hash);
    expect(logHashOf(events.slice(1))).not.toBe(hash);
    expect(logHashOf(events.slice(0, -1))).not.toBe(hash);
    expect(logHashOf([...events].reverse())).not.toBe(hash);
    expect(logHashOf(events.map((event, index) => (index === 2 ? { ...event, timestamp: 'x' } : event)))).not.toBe(
      hash,
    );
  });

  const run = {
    first: 1,
    last: driver.saga.sequence,
    createdAtMs: START_MS,
    events: JSON.stringify(driver.events),
  };
  const whole: RecordedSaga = { row, runs: [run] };
  const whats = (recorded: RecordedSaga, nowMs = START_MS, own: Tombstone = tombstone, id = row.id) =>
    auditTombstone(id, own, recorded, nowMs).map(({ rule, what }) => `${rule} ${what}`);
  const archived = (changes: Partial<PaymentRow> = {}) => ({ ...row, ...changes, archive_id: 4 });

  test('lets pass what the record has whole, or the archive has', () => {
    expect(whats(whole)).toEqual([]);
    expect(whats({ row: archived(), runs: [run], archiveStatus: 'stored' })).toEqual([]);
    for (const archiveStatus of ['logs_trimmed', 'trimmed']) {
      expect(whats({ row: archived(), runs: [], archiveStatus })).toEqual([]);
    }
    const untilMs = row.created_at_ms + RECORD_ROW_RETENTION_MS;
    expect(whats({ row: null, runs: [] }, untilMs + 1)).toEqual([]);
    expect(whats({ row: null, runs: [] }, untilMs)).toEqual(['S9 the record has no row of it']);
    // Nothing is proved of an older one.
    expect(whats({ row: null, runs: [] }, 0, { ...tombstone, remains: null })).toEqual([]);
  });

  test('shows what was edited, and what is missing', () => {
    const LOG = 'seal the log is not what its tombstone proves';
    const ROW = 'seal the row is not what its tombstone proves';
    expect(whats({ row: { ...row, status: 'FAILED' }, runs: [run] })).toEqual([ROW]);
    expect(whats({ row: archived({ sequence: 1 }), runs: [], archiveStatus: 'trimmed' })).toEqual([ROW]);
    expect(whats({ row: { ...row, body: '{' }, runs: [run] })).toEqual(['seal the row cannot be read: SyntaxError']);
    expect(whats({ row, runs: [] })).toEqual([LOG]);
    expect(whats({ row: { ...row, archive_id: null }, runs: [] })).toEqual([LOG]);
    expect(whats({ row: archived(), runs: [{ ...run, events: '[]' }], archiveStatus: 'stored' })).toEqual([LOG]);
    expect(whats({ row: archived(), runs: [], archiveStatus: 'stored' })).toEqual([LOG]);
    expect(whats({ row: archived(), runs: [run], archiveStatus: 'logs_trimmed' })).toEqual([
      'archive the record has runs of a timeline that was trimmed',
    ]);
    const NOT_THERE = 'archive the row names an archive that does not have it';
    expect(whats({ row: archived(), runs: [run] })).toEqual([NOT_THERE]);
    expect(whats({ row: archived(), runs: [run], archiveStatus: null })).toEqual([NOT_THERE]);
    for (const label of [{ first: 2 }, { last: 1 }, { createdAtMs: run.createdAtMs + 1 }]) {
      expect(whats({ row, runs: [{ ...run, ...label }] })).toEqual([
        `seal the run from ${label.first ?? 1} is not what its events say`,
      ]);
    }
    expect(whats({ row, runs: [{ ...run, events: '{' }] })).toEqual(['seal a run cannot be read: SyntaxError']);
    expect(whats(whole, START_MS, tombstone, 'pay_other')).toEqual(['S9 its tombstone is of another saga']);
  });
});
