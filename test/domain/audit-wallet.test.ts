/** The audit of a wallet in pages: of any size they say what one page over everything says, of sound ledgers and of edited ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditWallet, type StoredWalletRows } from '../../src/domain/audit/wallet.ts';
import type { LedgerEntry } from '../../src/domain/ledger/entry.ts';
import type { LedgerAuditState, Violation } from '../../src/domain/ledger/replay.ts';
import { command, everyEntryType, execute } from './ledger/builders.ts';
import type { MemoryStore } from './ledger/memory-store.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 2 ** 31);

function rowsOf(store: MemoryStore, entries: readonly LedgerEntry[] = store.entries): StoredWalletRows {
  const effects = [...store.effects.values()].sort((left, right) => (left.effectId < right.effectId ? -1 : 1));
  const resolutions = [...store.resolutions].sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    wallet: () => store.wallet(),
    entries: (after, limit) => entries.filter(({ sequence }) => sequence > after).slice(0, limit),
    effects: (after, limit) => effects.filter(({ effectId }) => effectId > after).slice(0, limit),
    resolutions: (after, limit) => resolutions.filter(([paymentId]) => paymentId > after).slice(0, limit),
    effect: (effectId) => store.effect(effectId),
    resolution: (paymentId) => store.resolution(paymentId),
    openHolds: () => store.openHolds(),
  };
}

function walk(rows: StoredWalletRows, rowsMax: number) {
  const found: string[] = [];
  let pages = 0;
  let total = 0;
  let state: LedgerAuditState | null = null;
  do {
    // What is carried is JSON: it travels through the caller.
    const page = auditWallet(rows, JSON.parse(JSON.stringify(state)) as LedgerAuditState | null, rowsMax);
    expect(page.rows).toBeLessThanOrEqual(rowsMax);
    found.push(...page.violations.map(({ invariant, sequence, detail }) => `${invariant} ${sequence} ${detail}`));
    state = page.next;
    pages += 1;
    total += page.rows;
  } while (state !== null && pages < 1_000);
  return { found: [...new Set(found)].sort(), pages, total };
}

describe('pages of any size', () => {
  test('find nothing in a sound ledger, and take every row once', () => {
    const store = everyEntryType();
    const rows = store.entries.length + store.effects.size + store.resolutions.size;
    for (const rowsMax of [1, 2, 7, 63, 64, 65, 500]) {
      const { found, pages, total } = walk(rowsOf(store), rowsMax);
      expect(found).toEqual([]);
      expect(total).toBe(rows);
      expect(pages).toBe(Math.floor(rows / rowsMax) + 1);
    }
  });

  test(`find in an edited entry what one page finds (seed ${SEED})`, () => {
    const store = everyEntryType();
    const columns = ['hash', 'previousHash', 'type', 'paymentId', 'createdAtMs', 'effectId', 'openHolds'] as const;
    const edit = fc.record({
      at: fc.nat(store.entries.length - 1),
      column: fc.constantFrom(...columns),
      rowsMax: fc.integer({ min: 1, max: 90 }),
    });
    fc.assert(
      fc.property(edit, ({ at, column, rowsMax }) => {
        const entries = store.entries.map((entry, index) => (index === at ? { ...entry, [column]: 'x' } : entry));
        const paged = walk(rowsOf(store, entries as LedgerEntry[]), rowsMax);
        expect(paged.found.length).toBeGreaterThan(0);
        expect(walk(rowsOf(store, entries as LedgerEntry[]), 100_000).found.length).toBeGreaterThan(0);
      }),
      { seed: SEED, numRuns: Number(process.env.HOLDFAST_RUNS ?? 300) },
    );
  });

  describe('of a wallet that goes on meanwhile', () => {
    const PAGE = 7;
    /** How holds end, under ids before and after any place that the pages of resolutions have come to. */
    const MEANWHILE = ['0', '50', '999'];

    /** @param atPage before which page the wallet goes on. */
    function walkOn(atPage: number, after: (store: MemoryStore) => void): readonly string[] {
      const store = everyEntryType();
      for (const n of [0, 999]) execute(store, [command('hold', n)]);
      let rows = rowsOf(store);
      let state: LedgerAuditState | null = null;
      const found: Violation[] = [];
      for (let page = 0; page === 0 || state !== null; page++) {
        if (page === atPage) {
          for (const n of MEANWHILE) execute(store, [command('debit', Number(n))]);
          after(store);
          rows = rowsOf(store);
        }
        const { violations, next } = auditWallet(rows, state, PAGE);
        found.push(...violations);
        state = next;
      }
      return found.map(({ invariant, sequence, detail }) => `${invariant} ${sequence} ${detail}`);
    }

    const pages = Math.ceil(everyEntryType().entries.length / PAGE);
    const everyPage = Array.from({ length: 2 * pages }, (_, page) => page);

    test('find nothing, wherever they have come to', () => {
      for (const page of everyPage)
        expect(
          walkOn(page, () => {}),
          `page ${page}`,
        ).toEqual([]);
    });

    test.each(MEANWHILE)('find that the resolution of payment %s is not stored', (n) => {
      for (const page of everyPage) {
        const found = walkOn(page, (store) => store.resolutions.delete(`pay_${n}`));
        expect(found, `page ${page}`).toEqual(['L5 null resolutions']);
      }
    });
  });

  test('find that an object holds no wallet', () => {
    const rows = { ...rowsOf(everyEntryType()), wallet: () => null };
    expect(auditWallet(rows, null)).toMatchObject({ wallet: null, violations: [], next: null });
  });
});
