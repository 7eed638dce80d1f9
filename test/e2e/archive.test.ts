/** `npm run archive`: reads what an archiver wrote, and says what is wrong with it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import type { Dossier } from '../../src/domain/archive/dossier.ts';
import { manifestKeyOf, ndjsonOf } from '../../src/domain/archive/manifest.ts';
import { logHashOf, rowHashOf } from '../../src/domain/saga/tombstone.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'holdfast-archive-'));
const EVENTS = [{ event_type: 'payment.created', payload: { amount: 5 } }];
const ROW = {
  id: 'pay_1',
  merchant: 'default',
  mode: 'sandbox' as const,
  status: 'COMPLETED',
  created_at_ms: 1,
  updated_at_ms: 2,
  body: '{"id":"pay_1"}',
};
const REMAINS = {
  merchant: 'default',
  mode: 'sandbox' as const,
  status: 'COMPLETED',
  createdAtMs: 1,
  sequence: 1,
  seal: null,
  logHash: logHashOf(EVENTS),
  rowHash: rowHashOf(ROW),
};
const DOSSIER: Dossier = {
  format: 1,
  payment: {
    row: ROW,
    runs: [{ first: 1, last: 1, created_at_ms: 2, events: EVENTS }],
    tombstone: { entityId: 'pay_1', expiredAtMs: 3, remains: REMAINS },
  },
  refunds: [],
  notifications: [],
};

afterAll(() => rmSync(FOLDER, { recursive: true }));

/** An object as it was fetched, `edited` after its manifest was written. */
function fetched(
  name: string,
  dossiers: readonly Dossier[],
  edit: (bytes: Buffer) => Buffer = (bytes) => bytes,
): string {
  const bytes = gzipSync(ndjsonOf(dossiers));
  const file = join(FOLDER, `${name}.ndjson.gz`);
  const manifest = {
    format: 1,
    object_key: `payments/${name}.ndjson.gz`,
    kind: 'payments',
    rows: { lines: dossiers.length },
    first_key: 'pay_1',
    last_key: 'pay_1',
    newest_at: '2026-11-24T00:00:00.000Z',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  writeFileSync(file, edit(bytes));
  writeFileSync(manifestKeyOf(file), JSON.stringify(manifest));
  return file;
}

function archive(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/archive.ts', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('verifies whole files, and shows a payment of one', () => {
  const file = fetched('whole', [DOSSIER]);
  expect(archive('verify', file)).toEqual({
    status: 0,
    stdout: `${file}: 1 payments, as its manifest says\n`,
    stderr: '',
  });
  const shown = archive('show', file, 'pay_1');
  expect([shown.status, JSON.parse(shown.stdout)]).toEqual([0, DOSSIER]);
  expect(archive('show', file, 'pay_2').status).toBe(1);
});

test('finds bytes that were changed, and a payment that was edited under a new manifest', () => {
  const changed = fetched('changed', [DOSSIER], (bytes) =>
    Buffer.from(bytes.map((byte, n) => (n === 12 ? byte ^ 1 : byte))),
  );
  expect(archive('verify', changed)).toMatchObject({ status: 1, stdout: expect.stringContaining('another hash') });
  const { payment } = DOSSIER;
  const edited = fetched('edited', [{ ...DOSSIER, payment: { ...payment, row: { ...ROW, status: 'FAILED' } } }]);
  const { status, stdout } = archive('verify', edited);
  expect([status, stdout]).toEqual([1, `${edited}: pay_1: the row is not what its tombstone proves\n`]);
});

test('says how it is used, and what it cannot read', () => {
  expect(archive()).toMatchObject({ status: 2, stderr: expect.stringContaining('verify <file') });
  expect(archive('verify', join(FOLDER, 'absent.ndjson.gz')).status).toBe(2);
});
