// What counts as a card number, and what machines write that must not.
import { describe, expect, it } from 'vitest';
import { apiKeyId } from '../../src/domain/api-key.ts';
import { sha256Hex } from '../../src/domain/canonical.ts';
import { base62, publicIdFromHex } from '../../src/domain/ids.ts';
import { BODY_BYTES_MAX } from '../../src/domain/limits.ts';
import { newReconciliationId, nightlyId } from '../../src/domain/reconciliation/plan.ts';
import { deliveryId, deliveryKey, webhookEndpointId } from '../../src/domain/webhook.ts';
import { scanBody } from '../../src/http/body-scan.ts';
import { containsCardNumber, holdsCardNumber } from '../../src/http/card-number.ts';

const MINTED = 10_000;
const drawn = (n: number) => BigInt(`0x${sha256Hex(`minted ${n}`)}`);
/** Every kind of id that the service makes, and that a client may send back. */
const MINTS: Readonly<Record<string, (n: number) => string>> = {
  'a payment': (n) => publicIdFromHex('pay_', sha256Hex(`payment ${n}`)),
  'a refund': (n) => publicIdFromHex('ref_', sha256Hex(`refund ${n}`)),
  'a wallet': (n) => `wal_${base62(drawn(n))}`,
  'an API key': (n) => apiKeyId(drawn(n)),
  'a webhook endpoint': (n) => webhookEndpointId(drawn(n)),
  'a delivery': (n) => deliveryId(webhookEndpointId(drawn(n)), deliveryKey(`delivery ${n}`, 1_763_972_913_126 + n)),
  'a reconciliation': (n) => newReconciliationId(uuidOf(n)),
  'a nightly reconciliation': (n) => nightlyId(n * 86_400_000),
  'a message, a request or an event': uuidOf,
  'a trace': (n) => sha256Hex(`trace ${n}`).slice(0, 32),
};

/** Version 4 in form; the same in every run. */
function uuidOf(n: number): string {
  const digits = sha256Hex(`uuid ${n}`);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}

describe('a card number', () => {
  it.each([
    ['Visa', '4242424242424242'],
    ['Visa of 13 digits', '4222222222222'],
    ['Mastercard', '5555555555554444'],
    ['Mastercard, series 2', '2223003122003222'],
    ['American Express', '378282246310005'],
    ['American Express as printed', '3782 822463 10005'],
    ['Discover', '6011111111111117'],
    ['Diners as printed', '3056 930902 5904'],
    ['JCB', '3566002020360505'],
    ['UnionPay', '6200000000000005'],
    ['UnionPay of 19 digits', '6205500000000000004'],
    ['as printed', '4242 4242 4242 4242'],
    ['with dashes', '4242-4242-4242-4242'],
    ['digit by digit', '4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2'],
    ['between letters', 'pan4242424242424242end'],
    ['after other groups', 'order 12 4242 4242 4242 4242 of 3'],
    ['with no-break spaces', '4242\u00a04242\u00a04242\u00a04242'],
    ['with narrow ones', '4242\u202f4242\u202f4242\u202f4242'],
    ['with double spaces', '4242  4242  4242  4242'],
    ['with tabs', '4242\t4242\t4242\t4242'],
    ['with en dashes', '4242\u20134242\u20134242\u20134242'],
    ['with spaces around dashes', '4242 - 4242 - 4242 - 4242'],
    ['with dots', '4242.4242.4242.4242'],
    ['with characters that do not show', '4242\u200b4242\u200b4242\u200b4242'],
    ['American Express with no-break spaces', '3782\u00a0822463\u00a010005'],
    ['of a form', 'number=4242+4242+4242+4242&cvc=123'],
    ['of a form, bare', 'card+4242424242424242'],
    ['of a form, American Express', 'card+378282246310005'],
    ['after a plus sign, with more digits than a telephone number has', '+4242424242424242'],
    ['after a plus sign, in groups', '+4242 4242 4242 4242'],
  ])('is found: %s', (_case, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  it.each([
    ['a wrong check digit', '4242424242424241'],
    ['12 digits', '424242424242'],
    ['20 digits', '42424242424242424242'],
    ['a UUID', '4f1c9d1e-4b7e-4c8e-9a63-424242424242'],
    ['a UUID of digits that end like a card', '00000000-0000-4000-8424-242424242424'],
    ['a digest', 'a4242424242424242bcdef0123456789abcdef0123456789abcdef0123456789'],
    ['milliseconds', '1763972913126'],
    ['two dates', '2026-11-24 2026-11-25'],
    ['a time', '2026-11-24T08:28:33.123Z'],
    ['a telephone number', '+49 1512 3456789'],
    ['the longest telephone number', 'call +378282246310005'],
    ['a telephone number in groups', '+3782 822463 10005'],
    ['addresses', '45.123.123.123 45.123.123.124:8080'],
    ['a list, line by line', '4242\n4242\n4242\n4242'],
    ['columns', '4242\t42424\t2424242'],
    ['decimals', '4242.42 4242.42 424.42'],
    ['amounts', '4.242.424.242.424,20'],
    ['zeros', '0000000000000000'],
    ['nothing', ''],
  ])('is not found in %s', (_case, text) => {
    expect(containsCardNumber(text)).toBe(false);
  });

  it.each(Object.keys(MINTS))(`is in none of ${MINTED} ids of %s, by itself or in a path`, (kind) => {
    const ids = Array.from({ length: MINTED }, (_, n) => MINTS[kind]?.(n) ?? '');
    expect(ids.filter((id) => containsCardNumber(id) || holdsCardNumber(`/things/${id}/parts`))).toEqual([]);
  });

  it.each([
    ['before an id of ours', `4242424242424242 we_${'a'.repeat(22)}`],
    ['behind one', `rec_${'0a'.repeat(16)}:4242424242424242`],
    ['under a prefix of ours', 'rec_4242424242424242'],
    ['in what is too long for an id of ours', `ak_${'z'.repeat(22)}4242424242424242`],
  ])('is found %s', (_case, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  it.each([
    '4242%204242%204242%204242',
    '4242%C2%A04242%C2%A04242%C2%A04242',
    '4242%E2%80%934242%E2%80%934242%E2%80%934242',
    '%34242424242424242',
  ])('is found percent-encoded: %s', (text) => {
    expect(holdsCardNumber(text)).toBe(true);
    expect(scanBody(JSON.stringify({ note: `number=${text}` }))).toMatchObject({ code: 'pan_in_request' });
  });

  it.each([
    '1 ',
    '1',
    '1242 ',
    '1242+1242.',
    '1\u00a0\u00a0\u00a0',
    '+',
    '+4',
    ' - ',
    '%20',
    '1%20',
    '%C2%A0',
    '%',
    '4%E2%80%93%E2%80%93',
  ])('is looked for in a body full of %j in time that grows with it, not faster', (part) => {
    const full = part.repeat(BODY_BYTES_MAX / part.length);
    const startedAtMs = Date.now();
    expect(holdsCardNumber(full)).toBe(false);
    expect(Date.now() - startedAtMs).toBeLessThan(1_000);
  });

  it('is looked for in time that grows with the text, not faster', () => {
    const startedAtMs = Date.now();
    containsCardNumber('1 '.repeat(32_000));
    containsCardNumber('1'.repeat(64_000));
    expect(Date.now() - startedAtMs).toBeLessThan(1_000);
  });
});
