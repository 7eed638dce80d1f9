import { describe, expect, test } from 'vitest';
import {
  differingFields,
  fingerprint,
  IDEMPOTENCY_KEY_HEADERS,
  readIdempotencyKey,
} from '../../src/domain/idempotency.ts';
import { IDEMPOTENCY_KEY_LENGTH_MAX } from '../../src/domain/limits.ts';

const LONGEST = 'k'.repeat(IDEMPOTENCY_KEY_LENGTH_MAX);
const CODES = { missing: 'idempotency_key_missing', invalid: 'idempotency_key_invalid' } as const;

describe('an idempotency key', () => {
  test('is read from the standard header and two others', () => {
    expect(IDEMPOTENCY_KEY_HEADERS).toEqual(['idempotency-key', 'x-idempotent-key', 'x-idempotency-key']);
  });

  test.each([
    ['bare', 'abc', 'abc'],
    ['quoted', '"abc"', 'abc'],
    ['quoted, with an escaped quote', '"a\\"b"', 'a"b'],
    ['quoted, with an escaped backslash', '"a\\\\b"', 'a\\b'],
    ['quoted, with an escaped backslash before the closing quote', '"a\\\\"', 'a\\'],
    ['bare, with a quote inside', 'a"b', 'a"b'],
    ['bare, with a backslash', 'a\\b', 'a\\b'],
    ['of one character', '!', '!'],
    ['with the last visible character', '~', '~'],
    ['with the separator of object names', 'a|b', 'a|b'],
    ['a UUID', '8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['as long as may be', LONGEST, LONGEST],
    ['as long as may be, quoted: quotes do not count', `"${LONGEST}"`, LONGEST],
  ])('%s is taken', (_what, value, key) => {
    expect(readIdempotencyKey([value, null, null])).toEqual({ ok: true, key });
    expect(readIdempotencyKey([null, null, value])).toEqual({ ok: true, key });
  });

  test.each([
    ['empty', ''],
    ['quoted and empty', '""'],
    ['one character too long', `${LONGEST}k`],
    ['one character too long, quoted', `"${LONGEST}k"`],
    ['with a space', 'a b'],
    ['with a space at the end', 'a '],
    ['with a space, quoted', '"a b"'],
    ['with a tab', 'a\tb'],
    ['with a line break at the end', 'a\n'],
    ['with a control character', 'a\u007f'],
    ['with an accent', 'é'],
    ['with a character of two halves', '😀'],
    ['two values in one header', 'a, a'],
    ['quoted and not closed', '"abc'],
    ['a lone quote', '"'],
    ['quoted with more after it', '"abc"d'],
    ['quoted with a parameter', '"abc";x=1'],
    ['quoted with a bare quote inside', '"a"b"'],
    ['quoted with an unknown escape', '"a\\nb"'],
    ['quoted with an escape of the closing quote', '"a\\"'],
  ])('%s is refused', (_what, value) => {
    expect(readIdempotencyKey([value, null, null])).toMatchObject({ ok: false, code: CODES.invalid });
  });

  test('that is absent is refused as missing, by the name of the header to send', () => {
    for (const values of [[], [null, null, null]]) {
      const result = readIdempotencyKey(values);
      expect(result).toMatchObject({ ok: false, code: CODES.missing });
      expect(!result.ok && result.detail).toContain('idempotency-key');
    }
  });

  test('in two headers that agree is one key, whichever way each is written', () => {
    expect(readIdempotencyKey(['abc', '"abc"', null])).toEqual({ ok: true, key: 'abc' });
    expect(readIdempotencyKey(['abc', 'abc', 'abc'])).toEqual({ ok: true, key: 'abc' });
  });

  test.each([
    ['differ', ['abc', 'abd', null]],
    ['differ in case', ['abc', 'ABC', null]],
    ['differ in the last of three', ['abc', 'abc', 'x']],
    ['are a good one and a malformed one', ['abc', 'a b', null]],
    ['are a malformed one and a good one', ['a b', 'abc', null]],
    ['are a good one and an empty one', ['abc', '', null]],
  ])('in two headers that %s is refused', (_what, values) => {
    expect(readIdempotencyKey(values)).toMatchObject({ ok: false, code: CODES.invalid });
  });

  test('is refused in words that say what to do', () => {
    expect(readIdempotencyKey(['a b'])).toMatchObject({ detail: expect.stringContaining('1 to 255 visible') });
    expect(readIdempotencyKey(['a', 'b'])).toMatchObject({ detail: expect.stringContaining('different values') });
  });

  test('is not repeated in a refusal', () => {
    const result = readIdempotencyKey(['secret-1', 'secret-2', null]);
    expect(JSON.stringify(result)).not.toContain('secret');
  });
});

describe('the fingerprint of a body', () => {
  const body = { wallet_id: 'wal-1', amount: 1230, metadata: { b: '2', a: '1' } };

  test('stands for ever: what was stored yesterday is compared with it', () => {
    expect(fingerprint(body)).toBe('c1fc8bd28ad26d2794a5561a2f3c9e8e28577522cf6b9b498dd4b2a20cae47c0');
  });

  test('does not depend on the order of members or on white space', () => {
    const reordered = JSON.parse(
      '{ "metadata": {"a":"1",\n"b":"2"}, "amount": 1.23e3, "wallet_id": "wal-1" }',
    ) as unknown;
    expect(fingerprint(reordered)).toBe(fingerprint(body));
  });

  test.each([
    ['another amount', { ...body, amount: 1231 }],
    ['a number as text', { ...body, amount: '1230' }],
    ['a member more', { ...body, reference: '' }],
    ['a member less', { wallet_id: 'wal-1', amount: 1230 }],
    ['another nested value', { ...body, metadata: { a: '1', b: '3' } }],
    ['another case', { ...body, wallet_id: 'WAL-1' }],
  ])('is another one for %s', (_what, other) => {
    expect(fingerprint(other)).not.toBe(fingerprint(body));
  });
});

describe('the fields in which two bodies differ', () => {
  test.each([
    ['none', { a: 1 }, { a: 1 }, []],
    ['a changed value', { a: 1, b: 2 }, { a: 1, b: 3 }, ['/b']],
    ['a member only stored', { a: 1, b: 2 }, { a: 1 }, ['/b']],
    ['a member only sent', { a: 1 }, { a: 1, b: 2 }, ['/b']],
    ['several, sorted', { z: 1, a: 1 }, { z: 2, a: 2 }, ['/a', '/z']],
    ['a nested value, by its top-level name', { m: { a: '1' } }, { m: { a: '2' } }, ['/m']],
    ['a nested order: no difference', { m: { a: 1, b: 2 } }, { m: { b: 2, a: 1 } }, []],
    ['undefined and absent: no difference', { a: undefined }, {}, []],
    ['null and absent', { a: null }, {}, ['/a']],
    ['names that a JSON pointer must escape', { 'a/b': 1, 'c~d': 1 }, {}, ['/a~1b', '/c~0d']],
    ['names that every object has', { constructor: 1 }, {}, ['/constructor']],
  ])('%s', (_what, stored, sent, fields) => {
    expect(differingFields(stored, sent)).toEqual(fields);
  });

  test('are named, and their values are not shown', () => {
    const fields = differingFields({ token: 'secret-1' }, { token: 'secret-2' });
    expect(fields).toEqual(['/token']);
  });
});
