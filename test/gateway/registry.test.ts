/** Which providers exist: the simulated ones in sandbox, the configured real ones in live mode, never both. */
import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { providersOf } from '../../src/gateway/registry.ts';

const SECRET = { API_KEY_SECRET: 'x'.repeat(32) };
const STRIPE = { STRIPE_SECRET_KEY: 'sk_test_0123456789', STRIPE_WEBHOOK_SECRET: 'whsec_0123456789' };
const MERCADO_PAGO = {
  MERCADO_PAGO_ACCESS_TOKEN: 'APP_USR-0123456789',
  MERCADO_PAGO_WEBHOOK_SECRET: '0123456789abcdef',
  MERCADO_PAGO_CURRENCY: 'BRL',
};
const LIVE = { MODE: 'live', AUTH: 'required', ...SECRET };

it.each([
  ['sandbox', { MODE: 'sandbox', AUTH: 'open' }, ['acme', 'borealis']],
  ['sandbox with real secrets', { MODE: 'sandbox', AUTH: 'open', ...STRIPE, ...MERCADO_PAGO }, ['acme', 'borealis']],
  ['live with Stripe', { ...LIVE, ...STRIPE }, ['stripe']],
  ['live with Mercado Pago', { ...LIVE, ...MERCADO_PAGO }, ['mercado-pago']],
  ['live with both', { ...LIVE, ...STRIPE, ...MERCADO_PAGO }, ['stripe', 'mercado-pago']],
])('%s has these providers, each under its own name', (_what, vars, names) => {
  const parsed = parseConfig(vars);
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const providers = providersOf(env, parsed.config);
  expect([...providers.keys()]).toEqual(names);
  for (const [name, provider] of providers) {
    expect(provider.name).toBe(name);
    expect(name).toMatch(/^[a-z0-9-]{1,12}$/);
  }
});
