import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig, readConfig } from '../../src/config.ts';
import { TRACES_RATIO_DEFAULT } from '../../src/config-tracing.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';

const SECRET = 's'.repeat(32);
const SANDBOX = { MODE: 'sandbox', AUTH: 'open' };
const STRIPE = { STRIPE_SECRET_KEY: 'sk_test_0123456789', STRIPE_WEBHOOK_SECRET: 'whsec_0123456789' };
const MERCADO_PAGO = {
  MERCADO_PAGO_ACCESS_TOKEN: 'APP_USR-0123456789',
  MERCADO_PAGO_WEBHOOK_SECRET: '0123456789abcdef',
  MERCADO_PAGO_CURRENCY: 'BRL',
};
const stripe = { secretKey: STRIPE.STRIPE_SECRET_KEY, webhookSecret: STRIPE.STRIPE_WEBHOOK_SECRET };
const mercadoPago = {
  accessToken: MERCADO_PAGO.MERCADO_PAGO_ACCESS_TOKEN,
  webhookSecret: MERCADO_PAGO.MERCADO_PAGO_WEBHOOK_SECRET,
  currency: 'BRL',
};
const UNPROVIDED = { MODE: 'live', AUTH: 'required', API_KEY_SECRET: SECRET };
const LIVE = { ...UNPROVIDED, ...STRIPE };

const EMAIL = { NOTIFY_EMAIL_FROM: 'holdfast@shop.io', NOTIFY_EMAIL_TO: 'ops@shop.io' };

describe('the email channel', () => {
  test('is off, or has both addresses', () => {
    expect(parseConfig(SANDBOX)).not.toHaveProperty('config.email');
    expect(parseConfig({ ...SANDBOX, ...EMAIL })).toMatchObject({
      config: { email: { from: 'holdfast@shop.io', to: 'ops@shop.io' } },
    });
  });

  test.each([
    ['from', { ...EMAIL, NOTIFY_EMAIL_FROM: undefined }, 'NOTIFY_EMAIL_FROM'],
    ['to', { ...EMAIL, NOTIFY_EMAIL_TO: undefined }, 'NOTIFY_EMAIL_TO'],
    ['a from that is none', { ...EMAIL, NOTIFY_EMAIL_FROM: 'holdfast' }, 'NOTIFY_EMAIL_FROM'],
  ])('without %s is a problem with a name', (_what, vars, name) => {
    expect(parseConfig({ ...SANDBOX, ...vars })).toEqual({ ok: false, problems: [name] });
  });
});

describe('the configuration', () => {
  test.each([
    ['sandbox, open', SANDBOX, { mode: 'sandbox', auth: 'open', providers: {} }],
    [
      'sandbox, required',
      { ...LIVE, MODE: 'sandbox' },
      { mode: 'sandbox', auth: 'required', apiKeySecret: SECRET, providers: {} },
    ],
    ['live, required', LIVE, { mode: 'live', auth: 'required', apiKeySecret: SECRET, providers: { stripe } }],
    [
      'live, required',
      { ...UNPROVIDED, ...MERCADO_PAGO },
      { mode: 'live', auth: 'required', apiKeySecret: SECRET, providers: { mercadoPago } },
    ],
    [
      'live, required',
      { ...LIVE, ...MERCADO_PAGO },
      { mode: 'live', auth: 'required', apiKeySecret: SECRET, providers: { stripe, mercadoPago } },
    ],
    [
      'sandbox, open, with a secret for keys to be made',
      { ...SANDBOX, API_KEY_SECRET: SECRET },
      { mode: 'sandbox', auth: 'open', apiKeySecret: SECRET, providers: {} },
    ],
  ] as const)('%s is taken, with the times of its mode', (_what, env, expected) => {
    const ofMode = { policy: SAGA_POLICIES[expected.mode], sampleRatio: TRACES_RATIO_DEFAULT[expected.mode] };
    expect(parseConfig(env)).toEqual({ ok: true, config: { ...expected, rateLimits: 'on', ...ofMode } });
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
    ['live lifts the rate limits', { ...LIVE, RATE_LIMITS: 'off' }, ['RATE_LIMITS']],
    ['the rate limits are neither on nor off', { ...SANDBOX, RATE_LIMITS: 'none' }, ['RATE_LIMITS']],
    ['the rate limits are said, and empty', { ...SANDBOX, RATE_LIMITS: '' }, ['RATE_LIMITS']],
    ['live has no secret', { MODE: 'live', AUTH: 'required' }, ['API_KEY_SECRET']],
    ['sandbox asks for keys and has no secret', { MODE: 'sandbox', AUTH: 'required' }, ['API_KEY_SECRET']],
    ['the secret is empty', { ...LIVE, API_KEY_SECRET: '' }, ['API_KEY_SECRET']],
    ['the secret is one character short', { ...LIVE, API_KEY_SECRET: 's'.repeat(31) }, ['API_KEY_SECRET']],
    ['the secret is no text', { ...LIVE, API_KEY_SECRET: 12345 }, ['API_KEY_SECRET']],
    ['live has no provider', UNPROVIDED, ['STRIPE_SECRET_KEY', 'MERCADO_PAGO_ACCESS_TOKEN']],
    [
      'Stripe\u2019s callbacks could not be checked',
      { ...LIVE, STRIPE_WEBHOOK_SECRET: undefined },
      ['STRIPE_WEBHOOK_SECRET'],
    ],
    ['Stripe could not be called', { ...LIVE, STRIPE_SECRET_KEY: undefined }, ['STRIPE_SECRET_KEY']],
    ['a Stripe secret is empty', { ...LIVE, STRIPE_SECRET_KEY: '' }, ['STRIPE_SECRET_KEY']],
    [
      'Stripe\u2019s secrets were swapped',
      { ...LIVE, STRIPE_SECRET_KEY: 'whsec_0123456789', STRIPE_WEBHOOK_SECRET: 'sk_test_0123456789' },
      ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'],
    ],
    [
      'Stripe\u2019s publishable key was given for its secret one',
      { ...LIVE, STRIPE_SECRET_KEY: 'pk_live_0123456789' },
      ['STRIPE_SECRET_KEY'],
    ],
    [
      'Mercado Pago is half configured, next to a whole Stripe',
      { ...LIVE, MERCADO_PAGO_ACCESS_TOKEN: 'APP_USR-0123456789' },
      ['MERCADO_PAGO_WEBHOOK_SECRET', 'MERCADO_PAGO_CURRENCY'],
    ],
    [
      'Mercado Pago\u2019s currency is missing',
      { ...LIVE, ...MERCADO_PAGO, MERCADO_PAGO_CURRENCY: undefined },
      ['MERCADO_PAGO_CURRENCY'],
    ],
    [
      'Mercado Pago\u2019s currency is none',
      { ...LIVE, ...MERCADO_PAGO, MERCADO_PAGO_CURRENCY: 'brl' },
      ['MERCADO_PAGO_CURRENCY'],
    ],
    ['a re-send time is no number', { ...SANDBOX, SAGA_RESEND_FIRST_MS: 'soon' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is empty', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is a fraction', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '10.5' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is below 10 ms', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '9' }, ['SAGA_RESEND_FIRST_MS']],
    ['a re-send time is above half a minute', { ...SANDBOX, SAGA_RESEND_FIRST_MS: '30001' }, ['SAGA_RESEND_FIRST_MS']],
    [
      'an authorize budget is no number',
      { ...SANDBOX, SAGA_AUTHORIZE_BUDGET_MS: 'long' },
      ['SAGA_AUTHORIZE_BUDGET_MS'],
    ],
    ['an authorize budget is below 1 s', { ...SANDBOX, SAGA_AUTHORIZE_BUDGET_MS: '999' }, ['SAGA_AUTHORIZE_BUDGET_MS']],
    [
      'an authorize budget is above an hour',
      { ...SANDBOX, SAGA_AUTHORIZE_BUDGET_MS: '3600001' },
      ['SAGA_AUTHORIZE_BUDGET_MS'],
    ],
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
    for (const firstMs of [10, 250, 30_000]) {
      const result = parseConfig({ ...SANDBOX, SAGA_RESEND_FIRST_MS: String(firstMs) });
      const { sandbox } = SAGA_POLICIES;
      expect(result.ok && result.config.policy).toEqual({
        ...sandbox,
        resend: { ...sandbox.resend, firstMs },
        resendGateway: { ...sandbox.resendGateway, firstMs },
      });
    }
  });

  test('lets a sandbox call providers for longer, and changes nothing else', () => {
    for (const authorizeBudgetMs of [1_000, 3_600_000]) {
      const result = parseConfig({ ...SANDBOX, SAGA_AUTHORIZE_BUDGET_MS: String(authorizeBudgetMs) });
      expect(result.ok && result.config.policy).toEqual({ ...SAGA_POLICIES.sandbox, authorizeBudgetMs });
    }
  });

  test('lets a sandbox lift the rate limits, by name', () => {
    expect(parseConfig({ ...SANDBOX, RATE_LIMITS: 'off' })).toMatchObject({ ok: true, config: { rateLimits: 'off' } });
    expect(parseConfig({ ...LIVE, RATE_LIMITS: 'on' })).toMatchObject({ ok: true, config: { rateLimits: 'on' } });
  });

  test('ignores the sandbox times in live mode', () => {
    const result = parseConfig({ ...LIVE, SAGA_RESEND_FIRST_MS: '10', SAGA_AUTHORIZE_BUDGET_MS: '1000' });
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
