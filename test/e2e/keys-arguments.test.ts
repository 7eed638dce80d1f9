/** What `npm run keys` makes of its command line and environment, before anything is sent. */
import { describe, expect, test } from 'vitest';
import { readRequest, UsageError } from '../../scripts/keys/arguments.ts';

const SECRET = 's'.repeat(32);
const WHY = ['--actor', 'jane', '--reason', 'a test'];
const WORD = { actor: 'jane', reason: 'a test' };
const CREATE = ['create', '--merchant', 'shop', '--scopes', 'ops', '--name', 'n', ...WHY];

describe('a request', () => {
  test.each<[string, string[], object]>([
    [
      'create',
      [
        'create',
        '--merchant',
        'shop',
        '--scopes',
        'ops, webhooks',
        '--name',
        'n',
        '--expires',
        '2027-01-01T00:00:00Z',
        ...WHY,
      ],
      {
        command: 'create',
        method: 'POST',
        path: '/ops/api-keys',
        body: { ...WORD, merchant: 'shop', scopes: ['ops', 'webhooks'], name: 'n', expires_at: '2027-01-01T00:00:00Z' },
      },
    ],
    [
      'create of the merchant that asks',
      ['create', '--scopes', 'ops', '--name', 'n', ...WHY],
      { body: { ...WORD, scopes: ['ops'], name: 'n' } },
    ],
    [
      'create of a platform key, which has one scope',
      ['create', '--platform', '--name', 'n', ...WHY],
      { body: { ...WORD, merchant: null, scopes: ['ops'], name: 'n' } },
    ],
    ['list', ['list'], { command: 'list', query: {} }],
    ['list of a merchant', ['list', '--merchant', 'shop'], { command: 'list', query: { merchant: 'shop' } }],
    ['revoke', ['revoke', 'ak_1', ...WHY], { method: 'POST', path: '/ops/api-keys/ak_1/revoke', body: WORD }],
    ['rotate', ['rotate', 'ak_1', ...WHY], { method: 'POST', path: '/ops/api-keys/ak_1/rotate', body: WORD }],
    [
      'rotate with an overlap and an end',
      ['rotate', 'ak_1', '--overlap', '0', '--expires', 'x', ...WHY],
      { body: { ...WORD, overlap_seconds: 0, expires_at: 'x' } },
    ],
  ])('is read: %s', (_what, args, request) => {
    const read = readRequest(args, {});
    expect(read).toMatchObject(request);
    if (read !== 'help' && read.command !== 'list') expect(read.body).toEqual(Reflect.get(request, 'body'));
  });

  test.each([['--help'], ['help'], ['list', '--help']])('for help is one for help', (...args) => {
    expect(readRequest(args, {})).toBe('help');
  });
});

test('it goes to this machine, unless it is said', () => {
  expect(readRequest(['list'], {})).toMatchObject({ origin: new URL('http://localhost:8080') });
  for (const origin of ['https://pay.example.com', 'http://127.0.0.1:1', 'http://[::1]:1', 'http://localhost']) {
    expect(readRequest(['list', '--origin', origin], {})).toMatchObject({ origin: new URL(origin) });
  }
});

test('it speaks with the key that is named, else with that of the environment, and with the secret where there is none', () => {
  const environment = { HOLDFAST_API_KEY: 'theirs', API_KEY_SECRET: SECRET };
  expect(readRequest(['list', '--key', 'mine'], environment)).toMatchObject({ apiKey: 'mine' });
  expect(readRequest(['list'], environment)).toMatchObject({ apiKey: 'theirs' });
  expect(readRequest(['list'], { ...environment, HOLDFAST_API_KEY: '' })).toMatchObject({
    apiKey: null,
    apiKeySecret: SECRET,
  });
  expect(readRequest(['list'], {})).toMatchObject({ apiKey: null, apiKeySecret: null });
  expect(() => readRequest(['list'], { API_KEY_SECRET: 'short' })).toThrow('fewer than 32');
});

test.each<[string, string[], string]>([
  ['no command', [], 'Say what to do'],
  ['an unknown command', ['forget'], 'no command'],
  ['an unknown option', ['list', '--secret', 'x'], '--secret'],
  ['no scopes', ['create', '--merchant', 'shop', '--name', 'n', ...WHY], '--scopes'],
  ['an unknown scope', ['create', '--merchant', 'shop', '--scopes', 'all', '--name', 'n', ...WHY], 'all is none of'],
  ['no name', ['create', '--merchant', 'shop', '--scopes', 'ops', ...WHY], '--name'],
  ['no reason', [...CREATE.slice(0, -2)], '--reason'],
  ['both kinds', [...CREATE, '--platform'], 'not both'],
  ['no id', ['revoke', ...WHY], 'ak_'],
  ['what is no id', ['rotate', 'shop', ...WHY], 'ak_'],
  ['an overlap that is none', ['rotate', 'ak_1', '--overlap', '24h', ...WHY], 'seconds'],
  ['a way that others can read', ['list', '--origin', 'http://pay.example.com'], 'https'],
  ['an origin that is none', ['list', '--origin', 'localhost'], 'URL'],
  ['more than an id', ['revoke', 'ak_1', 'ak_2', ...WHY], 'What is ak_2'],
  ['an id for a new key', ['create', 'ak_1', ...WHY], 'minted'],
  ['an actor that is none', ['revoke', 'ak_1', '--actor', 'jane doe', '--reason', 'r'], '--actor'],
])('%s is not asked rightly', (_what, args, text) => {
  expect(() => readRequest(args, {})).toThrow(UsageError);
  expect(() => readRequest(args, {})).toThrow(text);
});
