/** The auditor's pages over the directory of wallets, while wallets are opened: the real D1, and wallets that say who asks them. */
import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { auditFrom } from '../../src/auditor/walk.ts';
import type { WalletAuditPage } from '../../src/domain/audit/wallet.ts';
import { beginAudit, type LedgerAuditState } from '../../src/domain/ledger/replay.ts';
import { AUDIT_OBJECTS_MAX } from '../../src/domain/limits.ts';
import { enterWallets } from '../../src/read-model/wallets.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const BALANCES = { available: 3, held: 0, settled: 2, external: 5 };

const opened = (id: string) => enterWallets(env.DB, [{ id, ...SCOPE, currency: 'USD', created_at_ms: 1 }]);

/** Wallets that take so many pages each, and note the page that they are asked for. */
function wallets(pagesOf: (id: string) => number) {
  const asked: (readonly [id: string, page: number])[] = [];
  const audit = (walletId: string, state: LedgerAuditState | null): WalletAuditPage => {
    const wallet = { scope: SCOPE, walletId, currency: 'USD', createdAtMs: 1, frozen: false };
    const page = (state?.version ?? 0) + 1;
    asked.push([walletId, page]);
    const next = page < pagesOf(walletId) ? { ...beginAudit(wallet), version: page } : null;
    return { wallet, balances: BALANCES, rows: 1, violations: [], next };
  };
  const WALLET = {
    getByName: (name: string) => ({
      audit: async (state: LedgerAuditState | null) => audit(name.split('|').at(-1) ?? '', state),
    }),
  };
  return { env: { ...env, WALLET } as unknown as Env, asked };
}

test('a wallet that takes more than one page goes on where it was, whatever is opened before it meanwhile', async () => {
  await opened('b');
  await opened('m-long');
  const pages = AUDIT_OBJECTS_MAX + 5;
  const { env: audited, asked } = wallets((id) => (id === 'm-long' ? pages : 1));
  const first = await auditFrom(audited, null);
  expect(asked.at(-1)).toEqual(['m-long', AUDIT_OBJECTS_MAX - 1]);
  await opened('a');
  await opened('c');
  await opened('z');
  const second = await auditFrom(audited, first.next);
  const ofLong = asked.filter(([id]) => id === 'm-long').map(([, page]) => page);
  expect(ofLong).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
  expect(asked.filter(([id]) => id !== 'm-long')).toEqual([
    ['b', 1],
    ['z', 1],
  ]);
  // Three wallets were audited, each counted once.
  expect(second.totals).toEqual({ USD: { available: '9', held: '0', settled: '6', external: '15' } });
  expect([...first.findings, ...second.findings]).toEqual([]);
});
