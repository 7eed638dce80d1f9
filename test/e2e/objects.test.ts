/** The list of a deployed Worker's objects, from answers as the platform's API documents them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { deployedObjects, objectsInFile } from '../../scripts/objects.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';

const hex = (digit: string) => digit.repeat(64);
const object = (digit: string, hasStoredData = true) => ({ id: hex(digit), hasStoredData });

/** By path and query. */
const ANSWERS: Readonly<Record<string, object>> = {
  '/namespaces?per_page=100&page=1': {
    result: [
      { id: 'ns-pay', class: 'PaymentSaga', script: 'holdfast' },
      { id: 'ns-other', class: 'PaymentSaga', script: 'another-worker' },
      { id: 'ns-wal', class: 'Wallet', script: 'holdfast' },
    ],
  },
  '/namespaces/ns-pay/objects?limit=10000': { result: [object('a'), object('b')], result_info: { cursor: 'c1' } },
  '/namespaces/ns-pay/objects?limit=10000&cursor=c1': { result: [object('c'), object('d', false)], result_info: {} },
  '/namespaces/ns-wal/objects?limit=10000': { result: [object('e')] },
};

afterEach(() => {
  vi.unstubAllGlobals();
});

test('is read to its last page, of our Worker alone, without objects that hold nothing', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const path = url.replace(/^.*\/accounts\/account-1\/workers\/durable_objects/, '');
    asked.push(path);
    expect(init.headers).toEqual({ Authorization: 'Bearer token-1' });
    return Response.json(ANSWERS[path] ?? {}, { status: path in ANSWERS ? 200 : 404 });
  });
  expect(await deployedObjects('account-1', 'token-1')).toEqual({
    sagas: ['a', 'b', 'c'].map((digit) => publicIdFromHex('pay_', hex(digit))),
    wallets: [hex('e')],
  });
  expect(asked).toEqual(Object.keys(ANSWERS));
});

test('that is refused is an error with what the API said', async () => {
  vi.stubGlobal('fetch', async () => new Response('no such account', { status: 403 }));
  await expect(deployedObjects('account-1', 'token-1')).rejects.toThrow('403 no such account');
});

test('of a file is one id a line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  const path = join(folder, 'ids');
  writeFileSync(path, `pay_1\n\n ref_2 \n${hex('f')}\n`);
  expect(objectsInFile(path)).toEqual({ sagas: ['pay_1', 'ref_2'], wallets: [hex('f')] });
  rmSync(folder, { recursive: true });
});
