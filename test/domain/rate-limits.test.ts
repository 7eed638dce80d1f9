// The rate limits as pure functions: whom an address stands for, and what the headers say; and that wrangler.toml has the same numbers.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  addressPartition,
  missingRateLimits,
  RATE_LIMITS,
  rateLimitPolicy,
  refusalHeaders,
} from '../../src/http/rate-limits.ts';

describe('an address', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:0000:0000:0000:0006', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    [undefined, 'unknown'],
    ['', 'unknown'],
  ])('%s is counted as %s', (address, partition) => {
    expect(addressPartition(address)).toBe(partition);
  });

  test('of another /64 is another, and of the same one is not', () => {
    expect(addressPartition('2001:db8:1:2::1')).not.toBe(addressPartition('2001:db8:1:3::1'));
    expect(addressPartition('2001:db8:1:2::1')).toBe(addressPartition('2001:db8:1:2:ffff::1'));
  });

  test('that is none is carried on cut', () => {
    expect(addressPartition('x'.repeat(10_000))).toHaveLength(64);
    expect(addressPartition(`${':'.repeat(5_000)}1`).length).toBeLessThan(80);
  });
});

describe('the headers', () => {
  test('name each policy in the order in which it was asked', () => {
    expect(rateLimitPolicy(['address'])).toBe('"address";q=2000;w=10');
    expect(rateLimitPolicy(['address', 'api-key'])).toBe('"address";q=2000;w=10, "api-key";q=1000;w=10');
  });

  test('of a refusal say that nothing is left, and to come back after a whole period', () => {
    expect(refusalHeaders('callbacks')).toEqual({ RateLimit: '"callbacks";r=0;t=10', 'Retry-After': '10' });
  });
});

describe('what is configured', () => {
  const text = readFileSync('wrangler.toml', 'utf8');
  const configured = [
    ...text.matchAll(
      /\[\[ratelimits\]\]\nname = "(\w+)"\nnamespace_id = "(\d+)"\nsimple = \{ limit = (\d+), period = (\d+) \}/g,
    ),
  ].map(([, binding, namespace, limit, period]) => ({
    binding,
    namespace,
    limit: Number(limit),
    period: Number(period),
  }));

  test('is what the headers say', () => {
    expect(configured.map(({ binding, limit, period }) => [binding, limit, period])).toEqual(
      Object.values(RATE_LIMITS).map(({ binding, limit, periodSeconds }) => [binding, limit, periodSeconds]),
    );
    expect(text.match(/\[\[ratelimits\]\]/g)).toHaveLength(configured.length);
  });

  test('shares no counter between two limits', () => {
    expect(new Set(configured.map(({ namespace }) => namespace)).size).toBe(configured.length);
  });

  test('lets one key go on while its address is far from refused', () => {
    expect(RATE_LIMITS.address.limit).toBeGreaterThanOrEqual(2 * RATE_LIMITS['api-key'].limit);
  });

  test('is missed by name', () => {
    const bindings = configured.map(({ binding }) => binding ?? '');
    expect(missingRateLimits({})).toEqual(bindings);
    expect(missingRateLimits(Object.fromEntries(bindings.slice(1).map((name) => [name, {}])))).toEqual([bindings[0]]);
    expect(missingRateLimits(Object.fromEntries(bindings.map((name) => [name, {}])))).toEqual([]);
  });

  test('is lifted by no file that is deployed', () => {
    expect(text).not.toMatch(/^\s*RATE_LIMITS\s*=/m);
    expect(readFileSync('.dev.vars', 'utf8')).toMatch(/^RATE_LIMITS=off$/m);
  });
});
