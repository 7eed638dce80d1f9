/**
 * What a request is broken with, layer by layer: tables of bodies, keys, headers, methods and paths that somebody has sent to some
 * service. Nothing here is random; requests.ts draws from it.
 */
export type HeaderLine = readonly [string, string];

/** How the bytes of a body are broken after it was written, by name; `none` for most. */
export const SPOILS: Readonly<Record<string, (text: string) => string | Uint8Array | null>> = {
  none: (text) => text,
  absent: () => null,
  empty: () => '',
  truncated: (text) => text.slice(0, -1),
  trailing: (text) => `${text},`,
  bom: (text) => `\ufeff${text}`,
  notUtf8: (text) =>
    Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff, 0xc0, 0xaf]), Buffer.from('"}')]),
  utf16: (text) => Buffer.from(text, 'utf16le'),
  lone: (text) => text.replace(/"[^"]*"\s*}$/, '"\\ud800"}'),
  proto: (text) => text.replace('{', '{"__proto__":{"amount":1},'),
  twice: (text) => text.replace('{', '{"amount":1,"amount":2,"currency":"USD",'),
  hugeNumber: (text) => text.replace(/:\s*[0-9]+/, ':1e400'),
  manyDigits: (text) => text.replace(/:\s*[0-9]+/, `:${'9'.repeat(400)}`),
  fraction: (text) => text.replace(/(:\s*[0-9]+)/, '$1.0000000000000001'),
  deepArray: () => '['.repeat(20_000) + ']'.repeat(20_000),
  deepObject: () => `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`,
  atLimit: (text) => text.padEnd(64 * 1024, ' '),
  aboveLimit: (text) => text.padEnd(64 * 1024 + 1, ' '),
  huge: (text) => text.padEnd(300_000, ' '),
  manyMembers: (text) => text.replace('{', `{${Array.from({ length: 2_000 }, (_, n) => `"m${n}":${n},`).join('')}`),
  xml: () => '<?xml version="1.0"?><payment/>',
  form: () => 'amount=1&currency=USD',
  nothing: () => 'null',
};
export const KEY_STYLES = ['fresh', 'known', 'missing', 'alias', 'quoted', 'two', 'twice', 'odd'] as const;
export const ODD_KEYS = [
  '',
  ' ',
  'a b',
  '"',
  '"a',
  '""',
  'é',
  'x'.repeat(255),
  'x'.repeat(256),
  'a,b',
  '4242424242424242',
];
export const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/vnd.api+json',
  'application/json; charset=latin1',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonp',
  ';',
  '',
];
export const ODD_HEADERS: readonly HeaderLine[] = [
  ['Prefer', 'wait=0'],
  ['Prefer', 'wait=1'],
  ['Prefer', 'wait=-1'],
  ['Prefer', 'wait=1e9; respond-async'],
  ['Prefer', 'wait'],
  ['Accept', 'text/event-stream'],
  ['Accept', 'application/xml'],
  ['Last-Event-ID', '1'],
  ['Last-Event-ID', '-1'],
  ['X-Sandbox-Amount-Codes', 'on'],
  ['X-Sandbox-Amount-Codes', 'maybe'],
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  ['traceparent', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`],
  ['traceparent', 'ff-x'],
  ['Authorization', 'Bearer \xff'],
  ['Content-Encoding', 'gzip'],
  ['If-None-Match', '*'],
  ['Range', 'bytes=0-1'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['Cookie', 'a=b; __proto__=c'],
  ['Webhook-Id', 'x'],
  ['X-Holdfast-Signature', 't=1,v1=00'],
  ['Stripe-Signature', 't=0,v1='],
  ['Accept-Language', 'x'.repeat(4_000)],
];
/** Upgrading needs its own headers, and GET: the local proxy makes GET of anything else. */
export const UPGRADE: readonly HeaderLine[] = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
];
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
export const QUERY_TAILS = [
  'unknown=1',
  'limit=1&limit=2',
  '%ff=%ff',
  '=',
  '&&',
  'a[]=1',
  'cursor=',
  'limit=%00',
  '__proto__=1',
];
export const PATH_TAILS = ['/', '/x', '//', '/..', '/%2e%2e', '%00', ';a=b', '/%ff', '.json', `/${'y'.repeat(2_000)}`];
export const RAW_SEGMENTS = [
  '%',
  '%zz',
  '%ff',
  '%C0%AF',
  '%00',
  '%2F',
  '%2e%2e',
  '..',
  '.',
  ';',
  '@',
  'a%20b',
  'z'.repeat(1_500),
];
