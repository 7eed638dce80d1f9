import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig, readConfig } from '../../src/config.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';

const SECRET = 's'.repeat(32);
const SANDBOX = { MODE: 'sandbox', AUTH: 'open' };
const LIVE = { MODE: 'live', AUTH: 'required', API_KEY_SECRET: SECRET };

describe('the configuration', () => {
  test.each([
    ['sandbox, open', SANDBOX, { mode: 'sandbox', auth: 'open' }],
    ['sandbox, required', { ...LIVE, MODE: 'sandbox' }, { mode: 'sandbox', auth: 'required' }],
    ['live, required', LIVE, { mode: 'live', auth: 'required' }],
  ] as const)('%s is taken, with the times of its mode', (_what, env, expected) => {
    expect(parseConfig(env)).toEqual({ ok: true, config: { ...expected, policy: SAGA_POLICIES[expected.mode] } });
  });

  test.each([
    ['nothing is set', {}, ['MODE', 'AUTH']],
    ['the mode is missing', { AUTH: 'open' }, ['MODE']],
    ['the mode is unknown', { ...SANDBOX, MODE: 'production' }, ['MODE']],
    ['the mode is in capitals', { ...LIVE, MODE: 'LIVE' }, ['MODE']],
    ['the mode is empty', { ...SANDBOX, MODE: '' }, ['MODE']],
    ['authentication is missing', { MODE: 'sandbox' }, ['AUTH']],
    ['authentication is unknown', { ...SANDBOX, AUTH: 'none' }, ['AUTH']],
    ['live is open', { ...LIVE, AUTH: 'open' }, ['AUTH']],
    ['live has no secret', { MODE: 'live', AUTH: 'required' }, ['API_KEY_SECRET']],
    ['sandbox asks for keys and has no secret', { MODE: 'sandbox', AUTH: 'required' }, ['API_KEY_SECRET']],
    ['the secret is empty', { ...LIVE, API_KEY_SECRET: '' }, ['API_KEY_SECRET']],
    ['the secret is one character short', { ...LIVE, API_KEY_SECRET: 's'.repeat(31) }, ['API_KEY_SECRET']],
    ['the secret is no text', { ...LIVE, API_KEY_SECRET: 12345 }, ['API_KEY_SECRET']],
    ['a re-send time is no number', { ...SANDBOX, SAGA_RESEND_FIRST_MS: 'soon' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is empty', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is a fraction', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '10.5' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is below 10 ms', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '9' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is above a minute', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '60001' }, ['SAGA_RESEND_FIRST_MS']],
    [
      'a re-send time is wrong, even where it is not used',
      { ...LIVE, SAGA_RESEND_FIRST_MS: 'x' },
      ['SAGA_RESEND_FIRST_MS'],
    ],
  ])('fails closed when %s', (_what, env, problems) => {
    expect(parseConfig(env)).toEqual({ ok: false, problems });
  });

  test('names every problem at once, and shows no value', () => {
    const result = parseConfig({ MODE: 'hunter2', AUTH: 'hunter2', API_KEY_SECRET: 'hunter2' });
    expect(result).toEqual({ ok: false, problems: ['MODE', 'AUTH', 'API_KEY_SECRET'] });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  test('lets a sandbox send again sooner, and changes nothing else', () => {
    for (const firstMs of [10, 250, 60_000]) {
      const result = parseConfig({ ...SANDBOX, SAGA_RESEND_FIRST_MS: String(firstMs) });
      const { sandbox } = SAGA_POLICIES;
      expect(result.ok && result.config.policy).toEqual({
        ...sandbox,
        resend: { ...sandbox.resend, firstMs },
        resendGateway: { ...sandbox.resendGateway, firstMs },
      });
    }
  });

  test('ignores the sandbox re-send time in live mode', () => {
    const result = parseConfig({ ...LIVE, SAGA_RESEND_FIRST_MS: '10' });
    expect(result.ok && result.config.policy).toEqual(SAGA_POLICIES.live);
  });

  test('ignores whatever else the environment holds', () => {
    expect(parseConfig({ ...SANDBOX, DB: {}, WALLET: () => null })).toMatchObject({ ok: true });
  });

  test('is read once per environment: what is written into it later does not open it', () => {
    const env: Record<string, string> = { ...LIVE };
    expect(readConfig(env)).toBe(readConfig(env));
    env.MODE = 'sandbox';
    expect(readConfig(env)).toMatchObject({ ok: true, config: { mode: 'live' } });
    expect(readConfig({ ...env })).toMatchObject({ ok: true, config: { mode: 'sandbox' } });
  });
});

describe('what is committed', () => {
  test('is closed: wrangler.toml says live and required, and has no secret', () => {
    const text = readFileSync('wrangler.toml', 'utf8');
    const vars = Object.fromEntries(
      [...text.matchAll(/^(MODE|AUTH|API_KEY_SECRET) = "(.*)"$/gm)].map(([, name, value]) => [name, value]),
    );
    expect(vars).toEqual({ MODE: 'live', AUTH: 'required' });
    expect(parseConfig(vars)).toEqual({ ok: false, problems: ['API_KEY_SECRET'] });
  });
});
