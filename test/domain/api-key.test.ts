import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  API_KEY_ID_PATTERN,
  apiKeyId,
  apiKeyMac,
  apiKeyObjectName,
  bootstrapMac,
  bootstrapToken,
  checkOf,
  isBootstrapTimely,
  mintApiKey,
  PLATFORM_MERCHANT,
  PLATFORM_SCOPES,
  parseApiKey,
  parseBootstrapToken,
} from '../../src/domain/api-key.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { CLIENT_ID_PATTERN } from '../../src/domain/ids.ts';

const PEPPER = 'p'.repeat(32);
const ID = apiKeyId(7n);
const random = (byte: number) => new Uint8Array(32).fill(byte);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('an id', () => {
  test('has one length and one form, whatever the chance', () => {
    expect(apiKeyId(0n)).toBe(`ak_${'0'.repeat(22)}`);
    expect(apiKeyId(7n)).toBe(`ak_${'0'.repeat(21)}7`);
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (n) => API_KEY_ID_PATTERN.test(apiKeyId(n))));
  });

  test('is of 128 bits: more are not looked at, and no two numbers have one', () => {
    expect(apiKeyId(2n ** 128n + 7n)).toBe(apiKeyId(7n));
    expect(apiKeyId(2n ** 127n)).not.toBe(apiKeyId(0n));
  });

  test.each([`${ID}0`, `x${ID}`, ID.slice(0, -1), ID.slice(3), `${ID}\n`])('is not %j', (text) => {
    expect(API_KEY_ID_PATTERN.test(text)).toBe(false);
  });

  test('and the mode name its object', () => {
    expect(apiKeyObjectName('live', 'ak_1')).toBe('live|ak_1');
    expect(apiKeyObjectName('sandbox', 'ak_1')).toBe('sandbox|ak_1');
  });
});

test('a platform key may operate, and nothing else', () => {
  expect(PLATFORM_SCOPES).toEqual(['ops']);
});

test('what stands for no merchant is no merchant’s id', () => {
  expect(PLATFORM_MERCHANT).toBe('*');
  expect(CLIENT_ID_PATTERN.test(PLATFORM_MERCHANT)).toBe(false);
});

describe('a key', () => {
  test('is its mode, its id and its secret, and ends with a check', () => {
    const { key, mac } = mintApiKey(PEPPER, 'sandbox', ID, random(0));
    expect(key).toMatch(/^hf_sandbox_0{21}7_0{43}[0-9A-Za-z]{8}$/);
    expect(mac).toHaveLength(32);
    expect(parseApiKey(key)).toEqual({ mode: 'sandbox', id: ID, secret: '0'.repeat(43), check: checkOf(mac) });
    expect(key.endsWith(checkOf(mac))).toBe(true);
  });

  test('of any chance is read back, and has the HMAC that is stored', () => {
    const chance = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const number = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(chance, number, fc.constantFrom('sandbox', 'live'), (bytes, n, mode) => {
        const { key, mac } = mintApiKey(PEPPER, mode, apiKeyId(n), bytes);
        const parsed = parseApiKey(key);
        expect(parsed).toMatchObject({ mode, id: apiKeyId(n), check: checkOf(mac) });
        expect(parsed === null ? '' : hexOf(apiKeyMac(PEPPER, parsed))).toBe(hexOf(mac));
      }),
    );
  });

  test('has all of its chance in its secret', () => {
    const one = mintApiKey(PEPPER, 'live', ID, random(255)).key;
    const other = mintApiKey(PEPPER, 'live', ID, new Uint8Array([...random(255).slice(1), 254])).key;
    expect(parseApiKey(one)?.secret).not.toBe(parseApiKey(other)?.secret);
    expect(parseApiKey(one)?.secret.startsWith('0')).toBe(false);
  });

  test.each([0, 31, 33])('is not made of %d bytes', (length) => {
    expect(() => mintApiKey(PEPPER, 'live', ID, new Uint8Array(length))).toThrow(InvariantError);
    expect(() => mintApiKey(PEPPER, 'live', ID, new Uint8Array(length))).toThrow(`{"length":${length}}`);
  });

  test('has another HMAC for another secret, id, mode or pepper', () => {
    const key = { mode: 'live', id: ID, secret: '0'.repeat(43) } as const;
    const macs = [
      apiKeyMac(PEPPER, key),
      apiKeyMac(PEPPER, { ...key, secret: `1${'0'.repeat(42)}` }),
      apiKeyMac(PEPPER, { ...key, id: apiKeyId(8n) }),
      apiKeyMac(PEPPER, { ...key, mode: 'sandbox' }),
      apiKeyMac('q'.repeat(32), key),
    ].map(hexOf);
    expect(new Set(macs).size).toBe(macs.length);
  });

  // A stored HMAC is good for years: it must never come out otherwise.
  test('has the HMAC that it has always had', () => {
    const { key, mac } = mintApiKey(PEPPER, 'live', ID, random(1));
    expect({ key, mac: hexOf(mac) }).toMatchInlineSnapshot(`
      {
        "key": "hf_live_0000000000000000000007_0El6XFXwsUFD8J2vGxsaboW7rZYnQRBP5d9erwRwd29XTO3EWGe",
        "mac": "96ff185fb18fb2089caab149d6a2784611d29d1c83268076dfd5715266867202",
      }
    `);
  });

  const { key } = mintApiKey(PEPPER, 'sandbox', ID, random(9));
  test.each([
    '',
    'hf',
    key.slice(1),
    key.slice(0, -1),
    `${key}0`,
    ` ${key}`,
    `${key}\n`,
    key.replace('hf_', 'HF_'),
    key.replace('sandbox', 'test'),
    key.replace('sandbox', 'SANDBOX'),
    key.replaceAll('_', '-'),
    `${key.slice(0, -1)}_`,
    `${key.slice(0, -1)}é`,
    key.replace('_0', '__'),
  ])('is not read out of %j', (text) => {
    expect(parseApiKey(text)).toBeNull();
  });
});

test('a check is of the first 64 bits of an HMAC', () => {
  const mac = random(0);
  expect(checkOf(mac)).toBe('00000000');
  expect(checkOf(mac.with(7, 61))).toBe('0000000z');
  expect(checkOf(mac.with(8, 61))).toBe('00000000');
  expect(checkOf(mac.with(0, 1))).not.toBe('00000000');
});

describe('a bootstrap token', () => {
  const token = bootstrapToken(PEPPER, 'localhost:8080', 1_800_000_000);

  test('says when it was made, and has a signature over that and the host', () => {
    expect(token).toMatch(/^hfboot_1800000000_[0-9a-f]{64}$/);
    const parsed = parseBootstrapToken(token);
    expect(parsed?.atSeconds).toBe(1_800_000_000);
    expect(hexOf(parsed?.mac ?? random(0))).toBe(hexOf(bootstrapMac(PEPPER, 'localhost:8080', 1_800_000_000)));
  });

  test('is another one for another host, time or pepper', () => {
    const others = [
      bootstrapMac(PEPPER, 'localhost:8081', 1_800_000_000),
      bootstrapMac(PEPPER, 'localhost:8080', 1_800_000_001),
      bootstrapMac('q'.repeat(32), 'localhost:8080', 1_800_000_000),
      apiKeyMac(PEPPER, { mode: 'live', id: 'localhost:8080', secret: '1800000000' }),
    ].map(hexOf);
    expect(new Set(others).size).toBe(others.length);
    for (const other of others) expect(token).not.toContain(other);
  });

  test.each([
    '',
    'hfboot_',
    token.slice(1),
    token.slice(0, -1),
    `${token}0`,
    token.toUpperCase(),
    token.replace('_1', '_-1'),
    token.replace('_1800000000', '_'),
    token.replace('_1800000000', `_${'1'.repeat(12)}`),
    token.replace('hfboot', 'hf'),
    `x${token}`,
  ])('is not read out of %j', (text) => {
    expect(parseBootstrapToken(text)).toBeNull();
  });

  test.each([
    [0, true],
    [240_000, true],
    [240_001, false],
    [-60_000, true],
    [-60_001, false],
    [3_600_000, false],
  ])('%d ms after it was made is in time: %s', (ageMs, isTimely) => {
    expect(isBootstrapTimely(1_800_000_000, 1_800_000_000_000 + ageMs)).toBe(isTimely);
  });
});
