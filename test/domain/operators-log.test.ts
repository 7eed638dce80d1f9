/** The hash chain of the operators' log: each link by itself, and what is said of a row that does not hold. */
import { describe, expect, test } from 'vitest';
import {
  auditOperatorsLog,
  EMPTY_LOG,
  type LogHead,
  type OperatorsLogRow,
  operatorsLogHash,
  previousHashOf,
} from '../../src/domain/audit/operators-log.ts';
import { canonicalJson, sha256Hex } from '../../src/domain/canonical.ts';

const STANDS = 'does not stand on the row before it';
const EDITED = 'was edited';

function rowAfter(head: LogHead, changes: Partial<OperatorsLogRow> = {}): OperatorsLogRow {
  const row: OperatorsLogRow = {
    id: head.id + 1,
    at_ms: 5,
    merchant: 'default',
    mode: 'live',
    actor: 'jane',
    action: 'wallet.freeze',
    subject: 'wal-1',
    reason: 'ticket-7',
    credential: 'bootstrap',
    previous_hash: previousHashOf(head),
    hash: null,
    ...changes,
  };
  return { ...row, hash: operatorsLogHash(row) };
}

/** Rows from before the chain. */
const old = (id: number, changes: Partial<OperatorsLogRow> = {}): OperatorsLogRow => ({
  ...rowAfter(START),
  id,
  previous_hash: null,
  hash: null,
  ...changes,
});

/** Whole findings, so that where and by which rule is said too. */
const logged = (id: number, ...whats: readonly string[]) =>
  whats.map((what) => ({ where: `audit_log ${id}`, rule: 'log', what }));

// Not made from `EMPTY_LOG`: what is wrong with that is for a test to say, and not for the making of these.
const START: LogHead = { id: 0, hash: null };
const first = rowAfter(START);
const second = rowAfter(first);
const third = rowAfter(second);

describe('what a row stands on', () => {
  test('is the hash before it, or how many rows had none', () => {
    expect(EMPTY_LOG).toEqual({ id: 0, hash: null });
    expect(previousHashOf(EMPTY_LOG)).toBe('unsealed.0');
    expect(previousHashOf({ id: 7, hash: null })).toBe('unsealed.7');
    expect(previousHashOf({ id: 7, hash: 'abc' })).toBe('abc');
  });
});

describe('the hash of a row', () => {
  test('is the SHA-256 of its canonical JSON without the hash', () => {
    const { hash, ...covered } = first;
    expect(hash).toBe(sha256Hex(canonicalJson(covered)));
    expect(operatorsLogHash({ ...first, hash: 'another' })).toBe(hash);
  });

  test('leaves out a credential that is null, and no other', () => {
    const { hash: _, credential: __, ...covered } = first;
    expect(operatorsLogHash({ ...first, credential: null })).toBe(sha256Hex(canonicalJson(covered)));
    expect(operatorsLogHash({ ...first, credential: '' })).toBe(
      sha256Hex(canonicalJson({ ...covered, credential: '' })),
    );
  });

  test('covers every other column', () => {
    const changes: readonly Partial<OperatorsLogRow>[] = [
      { id: 9 },
      { at_ms: 9 },
      { merchant: 'x' },
      { mode: 'x' },
      { actor: 'x' },
      { action: 'x' },
      { subject: 'x' },
      { reason: 'x' },
      { credential: 'x' },
      { credential: null },
      { previous_hash: 'x' },
      { previous_hash: null },
    ];
    const hashes = changes.map((change) => operatorsLogHash({ ...first, ...change }));
    expect(new Set([...hashes, first.hash]).size).toBe(changes.length + 1);
  });
});

describe('a page of the log', () => {
  test('with no row leaves the head as it is', () => {
    expect(auditOperatorsLog(EMPTY_LOG, [])).toEqual({ head: EMPTY_LOG, findings: [], unsealed: 0 });
    const head = { id: 3, hash: 'abc' };
    expect(auditOperatorsLog(head, [])).toEqual({ head, findings: [], unsealed: 0 });
  });

  test('ends with the id and the hash of its newest row', () => {
    expect(auditOperatorsLog(EMPTY_LOG, [first, second, third])).toEqual({
      head: { id: 3, hash: third.hash },
      findings: [],
      unsealed: 0,
    });
    expect(auditOperatorsLog(first, [second])).toEqual({
      head: { id: 2, hash: second.hash },
      findings: [],
      unsealed: 0,
    });
  });

  test('counts the rows from before the chain, and the chain stands on their number', () => {
    const sealed = rowAfter({ id: 2, hash: null });
    expect(sealed.previous_hash).toBe('unsealed.2');
    expect(auditOperatorsLog(EMPTY_LOG, [old(1), old(2), sealed])).toEqual({
      head: { id: 3, hash: sealed.hash },
      findings: [],
      unsealed: 2,
    });
    expect(auditOperatorsLog(EMPTY_LOG, [old(1), old(2)])).toEqual({
      head: { id: 2, hash: null },
      findings: [],
      unsealed: 2,
    });
    // Of those an edit is not seen.
    expect(auditOperatorsLog(EMPTY_LOG, [old(1, { reason: 'other' })]).findings).toEqual([]);
  });
});

describe('a row', () => {
  const found = (head: LogHead, ...rows: readonly OperatorsLogRow[]) => auditOperatorsLog(head, rows).findings;

  test('follows the one before by its id, sealed or not', () => {
    const gap = rowAfter(first, { id: 4 });
    expect(found(first, gap)).toEqual(logged(4, 'follows 1'));
    const again = rowAfter(first, { id: 1 });
    expect(found(first, again)).toEqual(logged(1, 'follows 1'));
    const audit = auditOperatorsLog(EMPTY_LOG, [old(2)]);
    expect(audit).toEqual({ head: { id: 2, hash: null }, findings: logged(2, 'follows 0'), unsealed: 1 });
  });

  test('stands on the one before by its hash', () => {
    const elsewhere = rowAfter(first, { previous_hash: 'a'.repeat(64) });
    expect(found(first, elsewhere)).toEqual(logged(2, STANDS));
    // The next one stands on it as it is.
    expect(found(first, elsewhere, rowAfter(elsewhere))).toEqual(logged(2, STANDS));
    expect(found({ id: 1, hash: null }, rowAfter({ id: 1, hash: null }, { previous_hash: 'unsealed.2' }))).toEqual(
      logged(2, STANDS),
    );
  });

  test('has the hash of what is in it', () => {
    const edited = { ...second, reason: 'other' };
    expect(found(first, edited)).toEqual(logged(2, EDITED));
    expect(found(first, edited, third)).toEqual(logged(2, EDITED));
    const rehashed = { ...edited, hash: operatorsLogHash(edited) };
    expect(found(first, rehashed, third)).toEqual(logged(3, STANDS));
  });

  test('that is gone shows by the id and by the link', () => {
    expect(found(first, third)).toEqual(logged(3, 'follows 1', STANDS));
    expect(found(first, third, { ...rowAfter(third), reason: 'other' })).toEqual([
      ...logged(3, 'follows 1', STANDS),
      ...logged(4, EDITED),
    ]);
  });

  test('without a hash does not come after one with it', () => {
    const audit = auditOperatorsLog(first, [old(2)]);
    expect(audit).toEqual({ head: { id: 2, hash: null }, findings: logged(2, STANDS, EDITED), unsealed: 0 });
  });

  test('has both of its hashes, or neither', () => {
    expect(found(EMPTY_LOG, { ...first, hash: null })).toEqual(logged(1, EDITED));
    const unlinked = rowAfter(EMPTY_LOG, { previous_hash: null });
    expect(found(EMPTY_LOG, unlinked)).toEqual(logged(1, STANDS));
    expect(auditOperatorsLog(EMPTY_LOG, [{ ...first, hash: null }, unlinked]).unsealed).toBe(0);
  });

  test('that has no canonical JSON cannot be read, and the next is looked at all the same', () => {
    const unreadable = { ...second, reason: '\ud800' };
    expect(found(first, unreadable, { ...third, reason: 'other' })).toEqual([
      ...logged(2, 'the row cannot be read: InvariantError'),
      ...logged(3, EDITED),
    ]);
  });
});
