/** The owner of one API key: what it lets in, and what it writes. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import type { NewApiKey } from '../../src/domain/api-key-record.ts';

const MAC = new Uint8Array(32).fill(7);
const WRONG = new Uint8Array(32).fill(8);

const stub = (name: string) => env.API_KEY.getByName(`sandbox|${name}`);

function newKey(id: string, changes: Partial<NewApiKey> = {}): NewApiKey {
  const createdAtMs = Date.now();
  return {
    id,
    mode: 'sandbox',
    merchant: 'shop',
    scopes: ['payments:read'],
    name: 'a test',
    createdAtMs,
    expiresAtMs: null,
    rotatedFrom: null,
    ...changes,
  };
}

async function tablesOf(name: string): Promise<unknown[]> {
  return runInDurableObject(stub(name), (_object, state) =>
    state.storage.sql.exec(`SELECT name FROM sqlite_master WHERE name = 'api_key'`).toArray(),
  );
}

describe('a key', () => {
  test('counts with its own HMAC, also after an eviction, and with no other', async () => {
    await stub('a').create(newKey('a'), MAC);
    for (const _ of ['warm', 'cold']) {
      expect(await stub('a').verify(MAC)).toEqual({ kind: 'valid', merchant: 'shop', scopes: ['payments:read'] });
      expect(await stub('a').verify(WRONG)).toEqual({ kind: 'mismatch' });
      expect(await stub('a').verify(MAC.slice(1))).toEqual({ kind: 'mismatch' });
      expect(await stub('a').verify(new Uint8Array())).toEqual({ kind: 'mismatch' });
      await evictDurableObject(stub('a'));
    }
  });

  test('is made once: made again it is as it was', async () => {
    await stub('b').create(newKey('b'), MAC);
    const again = await stub('b').create(newKey('b', { merchant: 'thief' }), WRONG);
    expect(again).toMatchObject({ kind: 'found', key: { merchant: 'shop' } });
    expect(await stub('b').verify(MAC)).toMatchObject({ kind: 'valid', merchant: 'shop' });
    expect(await stub('b').verify(WRONG)).toEqual({ kind: 'mismatch' });
  });

  test('that is revoked is refused from then on, also after an eviction, and stays revoked since then', async () => {
    await stub('c').create(newKey('c'), MAC);
    const revoked = await stub('c').revoke();
    expect(revoked).toMatchObject({ kind: 'found', key: { revokedAtMs: expect.any(Number) } });
    expect(await stub('c').verify(MAC)).toEqual({ kind: 'revoked' });
    await evictDurableObject(stub('c'));
    expect(await stub('c').verify(MAC)).toEqual({ kind: 'revoked' });
    expect(await stub('c').revoke()).toEqual(revoked);
  });

  test('expires when it is to, and never later for being asked to', async () => {
    const nowMs = Date.now();
    await stub('d').create(newKey('d', { expiresAtMs: nowMs + 60_000 }), MAC);
    expect(await stub('d').expire(nowMs + 90_000)).toMatchObject({ key: { expiresAtMs: nowMs + 60_000 } });
    expect(await stub('d').verify(MAC)).toMatchObject({ kind: 'valid' });
    expect(await stub('d').expire(nowMs)).toMatchObject({ key: { expiresAtMs: nowMs } });
    expect(await stub('d').verify(MAC)).toEqual({ kind: 'expired' });
    expect(await stub('d').verify(WRONG)).toEqual({ kind: 'mismatch' });
  });

  test('without an end gets one', async () => {
    await stub('e').create(newKey('e'), MAC);
    await stub('e').expire(Date.now() - 1);
    expect(await stub('e').verify(MAC)).toEqual({ kind: 'expired' });
  });

  test('never shows what it is known by', async () => {
    await stub('f').create(newKey('f'), MAC);
    const shown = JSON.stringify([await stub('f').read(), await stub('f').verify(MAC), await stub('f').revoke()]);
    expect(shown).not.toContain('07070707');
    expect(shown).not.toContain('mac');
  });
});

test('an object that is only asked writes nothing, whatever it is asked', async () => {
  expect(await stub('nobody').verify(MAC)).toEqual({ kind: 'unknown' });
  expect(await stub('nobody').read()).toEqual({ kind: 'not_found' });
  expect(await stub('nobody').revoke()).toEqual({ kind: 'not_found' });
  expect(await stub('nobody').expire(1)).toEqual({ kind: 'not_found' });
  expect(await tablesOf('nobody')).toEqual([]);
});

test('being asked of a key that there is writes nothing either', async () => {
  await stub('g').create(newKey('g'), MAC);
  const read = () =>
    runInDurableObject(stub('g'), (_object, state) => state.storage.sql.exec('SELECT state FROM api_key').toArray());
  const before = await read();
  await stub('g').verify(MAC);
  await stub('g').read();
  expect(before).toHaveLength(1);
  expect(await read()).toEqual(before);
});
