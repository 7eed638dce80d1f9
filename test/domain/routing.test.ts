import { describe, expect, it } from 'vitest';
import { ROUTE_RULES, type RouteRule, route } from '../../src/domain/routing.ts';

const RULES: readonly RouteRule[] = [
  { name: 'big-customer', merchants: ['m-1'], providers: ['borealis'] },
  {
    name: 'cards-in-chile',
    currencies: ['CLP'],
    methods: ['credit_card', 'debit_card'],
    providers: ['borealis', 'acme'],
  },
  { name: 'everything', providers: ['acme', 'borealis'] },
];
const REQUEST = { merchant: 'default', currency: 'USD', method: 'balance' } as const;

describe('a route', () => {
  it.each([
    [REQUEST, 'everything', 'acme'],
    [{ ...REQUEST, merchant: 'm-1', currency: 'CLP', method: 'credit_card' }, 'big-customer', 'borealis'],
    [{ ...REQUEST, currency: 'CLP', method: 'debit_card' }, 'cards-in-chile', 'borealis'],
    [{ ...REQUEST, currency: 'CLP' }, 'everything', 'acme'],
    [{ ...REQUEST, method: 'credit_card' }, 'everything', 'acme'],
  ] as const)('%j goes by the first rule whose every condition holds: %s', (request, rule, provider) => {
    expect(route(RULES, request)).toMatchObject({ rule, provider });
  });

  it('passes over the providers that provably charged nothing, in the order of the rule, and keeps why', () => {
    const passedOver = [{ provider: 'acme', reason: 'breaker_open' }];
    expect(route(RULES, REQUEST, passedOver)).toEqual({
      provider: 'borealis',
      rule: 'everything',
      candidates: ['acme', 'borealis'],
      passedOver,
    });
  });

  it('has no provider once all have been passed over, nor where no rule holds', () => {
    const passedOver = ['acme', 'borealis'].map((provider) => ({ provider, reason: 'throttled' }));
    expect(route(RULES, REQUEST, passedOver).provider).toBeNull();
    expect(route([], REQUEST)).toEqual({ provider: null, rule: 'none', candidates: [], passedOver: [] });
  });

  it('exists for everything, in both modes', () => {
    for (const mode of ['sandbox', 'live'] as const) {
      for (const currency of ['USD', 'BRL', 'CLP', 'KWD']) {
        expect(route(ROUTE_RULES[mode], { ...REQUEST, currency }).provider).not.toBeNull();
      }
    }
  });

  it.each(['ARS', 'BRL', 'CLP', 'COP', 'MXN', 'PEN', 'UYU'])(
    'in live mode for %s begins in Latin America',
    (currency) => {
      expect(route(ROUTE_RULES.live, { ...REQUEST, currency })).toMatchObject({
        rule: 'latin-america',
        candidates: ['mercado-pago', 'stripe'],
      });
    },
  );

  it('in live mode for every other currency is Stripe’s, and each rule has its name', () => {
    const everything = { rule: 'everything', candidates: ['stripe'] };
    for (const currency of ['USD', 'EUR', 'KWD']) {
      expect(route(ROUTE_RULES.live, { ...REQUEST, currency })).toMatchObject(everything);
    }
    expect(route(ROUTE_RULES.sandbox, REQUEST).rule).toBe('sandbox');
  });

  it('of the sandbox begins at acme, and no live route leads to a sandbox provider', () => {
    expect(route(ROUTE_RULES.sandbox, REQUEST).candidates).toEqual(['acme', 'borealis']);
    const live = ROUTE_RULES.live.flatMap((rule) => rule.providers);
    expect(live).not.toContain('acme');
    expect(live).not.toContain('borealis');
  });
});
