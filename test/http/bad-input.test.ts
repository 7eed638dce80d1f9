// Bad input gets a clear 4xx that names the field, and leaves nothing behind: no object, so the key stays free.
import { listDurableObjectIds } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { AMOUNT_MINOR_MAX, BODY_BYTES_MAX, BODY_DEPTH_MAX } from '../../src/domain/limits.ts';
import { app } from '../../src/http/app.ts';
import {
  freshKey,
  jsonOf,
  pay,
  postRaw,
  problemOf,
  requestOf,
  runningPayment,
  send,
  validPayment,
  withoutDrawnIds,
} from './client.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };

/** Sends text as a body under a fresh key, and checks afterwards that no object came into being. */
async function refused(
  body: BodyInit,
  status: number,
  code: string,
  headers: Record<string, string> = JSON_HEADERS,
): Promise<string[]> {
  const before = await listDurableObjectIds(env.PAYMENT_SAGA);
  const response = await postRaw('/payments', body, { ...headers, 'idempotency-key': freshKey() });
  const problem = await problemOf(response, status, code);
  expect(await listDurableObjectIds(env.PAYMENT_SAGA)).toHaveLength(before.length);
  return problem.errors?.map((error) => error.pointer) ?? [];
}

function refusedFields(body: unknown, code = 'validation_failed'): Promise<string[]> {
  return refused(JSON.stringify(body), 400, code);
}

describe('a body that cannot be read', () => {
  it.each<[string, BodyInit]>([
    ['is empty', ''],
    ['is cut off', '{"amount": 12'],
    ['has a trailing comma', '{"amount": 1,}'],
    ['is not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['holds an overlong UTF-8 form', new Uint8Array([0x22, 0xc0, 0xaf, 0x22])],
    [`nests ${BODY_DEPTH_MAX + 1} levels`, `${'{"a":'.repeat(BODY_DEPTH_MAX + 1)}1${'}'.repeat(BODY_DEPTH_MAX + 1)}`],
    ['nests thousands of levels', '['.repeat(30_000) + ']'.repeat(30_000)],
  ])('that %s: invalid_json', async (_case, body) => {
    await refused(body, 400, 'invalid_json');
  });

  it.each([
    ['', 'The body is empty.'],
    [' \n', 'The body is empty.'],
    ['{\n  "amount": 1,\n}', 'The body is not valid JSON, near line 3, column 1.'],
    ['{"amount": 1 "currency": "USD"}', 'The body is not valid JSON, near line 1, column 14.'],
    ["{'token': 'secret'}", 'The body is not valid JSON, near line 1, column 2.'],
    // Deeper than can be looked into.
    ['['.repeat(60_000), 'The body is not valid JSON.'],
  ])('is told where it stops being JSON, and never what stands there: %#', async (body, detail) => {
    const response = await postRaw('/payments', body, { ...JSON_HEADERS, 'idempotency-key': freshKey() });
    expect((await problemOf(response, 400, 'invalid_json')).detail).toBe(detail);
  });

  it.each<[string, Record<string, string>]>([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another charset', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['another charset after an empty parameter', { 'content-type': 'application/json;;charset=latin1' }],
    ['half a quoted charset', { 'content-type': 'application/json; charset="utf-8' }],
    ['white space within the type', { 'content-type': 'application /json' }],
    ['JSON in name only', { 'content-type': 'application/jsonish' }],
    ['no type at all', { 'content-type': '' }],
    ['an encoding', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ])('with %s: unsupported_media_type', async (_case, headers) => {
    await refused(JSON.stringify(validPayment()), 415, 'unsupported_media_type', headers);
  });

  it.each([
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json ; charset=utf-8',
    'application/json\t;\tcharset=utf-8 ;',
    'application/json;',
    'application/json;;charset=utf-8',
    'APPLICATION/JSON',
    'application/vnd.api+json',
    'application/vnd.api2+json',
    'application/vnd.a.b+c_d-2+json;charset=utf-8',
  ])('does not include %s', async (type) => {
    await jsonOf(await pay(freshKey(), validPayment(), { 'content-type': type }), 202);
  });
});

describe('a body that is too large', () => {
  it('is refused by its declared length, unread', async () => {
    const unread = new ReadableStream({
      pull() {
        throw new Error('read');
      },
    });
    const headers = { ...JSON_HEADERS, 'content-length': String(BODY_BYTES_MAX + 1), 'idempotency-key': freshKey() };
    const response = await app.fetch(requestOf('/payments', { method: 'POST', body: unread, headers }), env);
    await problemOf(response, 413, 'payload_too_large');
  });

  it('is refused by the bytes that arrive, whatever was declared, and not read to its end', async () => {
    let sent = 0;
    const long = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1024;
        controller.enqueue(new Uint8Array(1024).fill(0x20));
        // An end after all, far beyond the limit: were the count lost, this would fail and not hang.
        if (sent > 8 * BODY_BYTES_MAX) controller.close();
      },
    });
    const headers = { ...JSON_HEADERS, 'content-length': '10', 'idempotency-key': freshKey() };
    const response = await app.fetch(requestOf('/payments', { method: 'POST', body: long, headers }), env);
    await problemOf(response, 413, 'payload_too_large');
    expect(sent).toBeLessThan(2 * BODY_BYTES_MAX);
  });

  it('begins at one byte more than the limit, in bytes, not characters', async () => {
    const padded = (bytes: number) => {
      const text = JSON.stringify(validPayment());
      return text + ' '.repeat(bytes - text.length);
    };
    const headers = { ...JSON_HEADERS, 'idempotency-key': freshKey() };
    await jsonOf(await postRaw('/payments', padded(BODY_BYTES_MAX), headers), 202);
    await refused(padded(BODY_BYTES_MAX + 1), 413, 'payload_too_large');
    await refused(`"${'é'.repeat(BODY_BYTES_MAX / 2)}"`, 413, 'payload_too_large');
  });
});

describe('a field that is not valid', () => {
  const long = (length: number) => 'x'.repeat(length);
  const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));

  it.each<[string, Record<string, unknown>, string]>([
    ['a fraction as amount', { amount: 12.5 }, '/amount'],
    ['a negative amount', { amount: -1 }, '/amount'],
    ['no money', { amount: 0 }, '/amount'],
    ['an amount above the limit', { amount: AMOUNT_MINOR_MAX + 1 }, '/amount'],
    ['an amount that is no safe integer', { amount: 1e21 }, '/amount'],
    ['an amount as text', { amount: '1230' }, '/amount'],
    ['a missing amount', { amount: undefined }, '/amount'],
    ['null as amount', { amount: null }, '/amount'],
    ['a list as amount', { amount: [1230] }, '/amount'],
    ['an unknown currency', { currency: 'XXX' }, '/currency'],
    ['a currency in lower case', { currency: 'usd' }, '/currency'],
    ['a number as currency', { currency: 840 }, '/currency'],
    ['an unknown method', { method: 'cash' }, '/method'],
    ['no method', { method: undefined }, '/method'],
    ['a wallet id with a space', { wallet_id: 'wal 1' }, '/wallet_id'],
    ['a wallet id with a separator of ours', { wallet_id: 'other|live|wal' }, '/wallet_id'],
    ['a wallet id that is a dot segment', { wallet_id: '..' }, '/wallet_id'],
    ['an empty wallet id', { wallet_id: '' }, '/wallet_id'],
    ['a wallet id of 65 characters', { wallet_id: long(65) }, '/wallet_id'],
    ['a wallet id that is an object', { wallet_id: { id: 'wal-1' } }, '/wallet_id'],
    ['a service id of another kind', { service_id: 'ünïcode' }, '/service_id'],
    ['a customer id with a slash', { customer_id: 'a/b' }, '/customer_id'],
    ['a token of 129 characters', { token: long(129) }, '/token'],
    ['a token with a space', { token: 'pm card' }, '/token'],
    ['an empty reference', { reference: '' }, '/reference'],
    ['a reference of 129 characters', { reference: long(129) }, '/reference'],
    ['a control character in the reference', { reference: 'a\u0000b' }, '/reference'],
    ['a line break in the reference', { reference: 'a\nb' }, '/reference'],
    ['half of a surrogate pair', { reference: 'a\ud800b' }, '/reference'],
    ['half of a surrogate pair where any text goes', { metadata: { note: 'a\ud800b' } }, '/metadata/note'],
    ['21 keys of metadata', { metadata: keys(21) }, '/metadata'],
    ['a metadata key of 41 characters', { metadata: { [long(41)]: 'v' } }, `/metadata/${long(41)}`],
    ['an empty metadata key', { metadata: { '': 'v' } }, '/metadata/'],
    ['a metadata value of 501 characters', { metadata: { note: long(501) } }, '/metadata/note'],
    ['a metadata value that is a number', { metadata: { note: 1 } }, '/metadata/note'],
    ['metadata that is a list', { metadata: ['a'] }, '/metadata'],
    ['a deadline without an offset', { deadline: '2030-01-01T00:00:00' }, '/deadline'],
    ['a deadline that is no day', { deadline: '2030-02-30T00:00:00Z' }, '/deadline'],
    ['a deadline that is a number', { deadline: 1_900_000_000 }, '/deadline'],
    ['an unknown field', { colour: 'red' }, '/colour'],
    ['an unknown field whose name needs escaping', { 'a/b~c': 1 }, '/a~1b~0c'],
  ])('%s is named by its pointer', async (_case, change, pointer) => {
    expect(await refusedFields({ ...validPayment(), ...change })).toEqual([pointer]);
  });

  it.each(['[]', '"text"', '1', 'null', 'true'])('a body that is %s is not a payment', async (body) => {
    expect(await refused(body, 400, 'validation_failed')).toEqual(['']);
  });

  it('a number beyond any number is refused, not read as something else', async () => {
    const body = JSON.stringify(validPayment()).replace('1230', '1e400');
    expect(await refused(body, 400, 'validation_failed')).toEqual(['/amount']);
  });

  it('a member that JavaScript would lose is refused, not dropped', async () => {
    const body = JSON.stringify({ ...validPayment(), metadata: { a: 'b' } }).replace('"a"', '"__proto__"');
    expect(await refused(body, 400, 'validation_failed')).toEqual(['/metadata/__proto__']);
  });

  it.each([
    ['the amount twice', '"amount":1230', '"amount":1,"amount":1230', '/amount'],
    ['the amount twice, once in another spelling', '"amount":1230', '"amount":1,"\\u0061mount":1230', '/amount'],
    ['a key of metadata twice', '"amount":1230', '"amount":1230,"metadata":{"a":"b","a":"b"}', '/metadata/a'],
    ['an amount that rounds up to a whole number', '1230', '0.99999999999999999', '/amount'],
    ['an amount that rounds up to a greater one', '1230', '8999999999999999.9', '/amount'],
    ['an amount that rounds down', '1230', '1.00000000000000000001', '/amount'],
  ])('%s is refused, and nothing is charged', async (_case, part, planted, pointer) => {
    const body = JSON.stringify(validPayment()).replace(part, planted);
    expect(body).toContain(planted);
    expect(await refused(body, 400, 'validation_failed')).toEqual([pointer]);
  });

  it.each(['1230.0', '123e1', '1.23E+3', '123000e-2'])('the amount %s is 1230', async (amount) => {
    const body = JSON.stringify(validPayment()).replace('1230', amount);
    const headers = { ...JSON_HEADERS, 'idempotency-key': freshKey() };
    expect(await jsonOf(await postRaw('/payments', body, headers), 202)).toMatchObject({ amount: 1230 });
  });

  it('all of them are listed, up to a bound, and long names are cut', async () => {
    expect(await refusedFields({ ...validPayment(), amount: 0, currency: 'XXX' })).toEqual(['/amount', '/currency']);
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`${'n'.repeat(200)}${index}`, 1]));
    expect(await refusedFields({ ...validPayment(), ...many })).toHaveLength(20);
    const [pointer] = await refusedFields({ ...validPayment(), ['n'.repeat(10_000)]: 1 });
    expect(pointer?.length).toBeLessThanOrEqual(500);
  });

  it('is said to be missing where it is, and what is expected there', async () => {
    const sent = await postRaw('/payments', '{"amount":"1230"}', { ...JSON_HEADERS, 'idempotency-key': freshKey() });
    expect((await problemOf(sent, 400, 'validation_failed')).errors).toEqual(
      expect.arrayContaining([
        { in: 'body', pointer: '/wallet_id', message: 'Missing: expected string.' },
        { in: 'body', pointer: '/amount', message: 'Invalid input: expected number, received string' },
      ]),
    );
    const asked = await send('/refunds');
    expect((await problemOf(asked, 400, 'validation_failed')).errors).toEqual([
      { in: 'query', pointer: '/payment_id', message: 'Missing: expected string.' },
    ]);
  });

  it('is never repeated by its value', async () => {
    const body = JSON.stringify({ ...validPayment(), currency: 'SECRET-VALUE', method: 'SECRET-VALUE' });
    const response = await postRaw('/payments', body, { ...JSON_HEADERS, 'idempotency-key': freshKey() });
    expect(await response.text()).not.toContain('SECRET-VALUE');
  });

  it('a query parameter that is not known is named', async () => {
    const response = await postRaw('/payments?dry_run=1', JSON.stringify(validPayment()), {
      ...JSON_HEADERS,
      'idempotency-key': freshKey(),
    });
    const problem = await problemOf(response, 400, 'validation_failed');
    expect(problem.errors).toEqual([{ in: 'query', pointer: '/dry_run', message: 'Unknown field.' }]);
  });
});

describe('a card number in the body', () => {
  const PAN = '4242424242424242';

  it.each<[string, Record<string, unknown>, string]>([
    ['as the token', { token: PAN }, '/token'],
    ['as the wallet id', { wallet_id: PAN }, '/wallet_id'],
    ['as the customer id, with dashes', { customer_id: '4242-4242-4242-4242' }, '/customer_id'],
    ['inside the reference, with spaces', { reference: `card 4242 4242 4242 4242 thanks` }, '/reference'],
    ['in a metadata value', { metadata: { note: `pan=${PAN};` } }, '/metadata/note'],
    ['in a metadata key', { metadata: { [PAN]: 'v' } }, '/metadata'],
    ['in an unknown field', { card: { number: PAN } }, '/card/number'],
    ['as a number', { card: 4242424242424242 }, '/card'],
    ['as the name of a field', { [PAN]: true }, ''],
    ['as an amount in text', { amount: PAN }, '/amount'],
  ])('%s is refused and not repeated', async (_case, change, pointer) => {
    const response = await pay(freshKey(), { ...validPayment(), ...change });
    const text = await response.clone().text();
    const problem = await problemOf(response, 400, 'pan_in_request');
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
    expect(withoutDrawnIds(text)).not.toMatch(/4242/);
  });

  it.each(['6205500000000000004', '4.242424242424242e15', '4242424242424242.0'])(
    'is found in the number %s, whatever JavaScript makes of it',
    async (number) => {
      const body = JSON.stringify({ ...validPayment(), card: 'here' }).replace('"here"', number);
      expect(await refused(body, 400, 'pan_in_request')).toEqual(['/card']);
    },
  );

  it('in a value that another of the same name replaces is found, and not repeated', async () => {
    const body = `{"card":{"${PAN}":1,"${PAN}":2},${JSON.stringify({ ...validPayment(), card: 1 }).slice(1)}`;
    expect(await refused(body, 400, 'pan_in_request')).toEqual(['/card']);
  });

  it('is found in a deposit and in the opening of a wallet', async () => {
    const headers = { ...JSON_HEADERS, 'idempotency-key': freshKey() };
    const deposit = JSON.stringify({ amount: 1, currency: 'USD', reference: PAN });
    await problemOf(await postRaw('/wallets/w/deposits', deposit, headers), 400, 'pan_in_request');
    const wallet = JSON.stringify({ id: PAN, currency: 'USD' });
    await problemOf(await postRaw('/wallets', wallet, headers), 400, 'pan_in_request');
  });

  it('is not what an amount is, whatever its digits', async () => {
    await jsonOf(await pay(freshKey(), runningPayment({ amount: 4242424242424242 })), 202);
  });
});
