import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import * as limits from '../../src/domain/limits.ts';
import { addMinor } from '../../src/domain/money.ts';
import { paymentRow } from '../../src/domain/payment-view.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { WEBHOOK_POLICIES } from '../../src/domain/webhook-policy.ts';
import { SagaDriver } from '../support/saga.ts';

const LIMITS = new Map<string, unknown>(Object.entries(limits));

/** Numbers that are promised to clients (docs, API reference): changing one is an API change. */
describe('what is published stays', () => {
  test.each([
    ['AMOUNT_MINOR_MAX', 9_000_000_000_000_000],
    ['IDEMPOTENCY_KEY_LENGTH_MAX', 255],
    ['CLIENT_ID_LENGTH_MAX', 64],
    ['METADATA_KEYS_MAX', 20],
    ['PREFER_WAIT_SECONDS_MAX', 25],
    ['RETENTION_MS', 30 * 86_400_000],
    ['HOLD_TTL_MS', 7 * 86_400_000],
    ['API_KEY_OVERLAP_SECONDS_DEFAULT', 86_400],
    ['API_KEY_OVERLAP_SECONDS_MAX', 2_592_000],
  ])('%s is %d', (name, value) => {
    expect(LIMITS.get(name)).toBe(value);
  });
});

describe('limits fit each other', () => {
  test('every limit is a positive whole number', () => {
    for (const [name, value] of LIMITS) {
      expect([name, Number.isSafeInteger(value) && Number(value) > 0]).toEqual([name, true]);
    }
  });

  test('the largest balance takes no more, although the sum would be rounded', () => {
    expect(Number.isSafeInteger(2 * limits.AMOUNT_MINOR_MAX)).toBe(false);
    expect(addMinor(limits.AMOUNT_MINOR_MAX, limits.AMOUNT_MINOR_MAX)).toBeNull();
  });

  test('a message to the record holds the largest row that a request can make, and runs beside it', () => {
    // Twenty keys of control characters, which JSON writes as six bytes each: all that fits into a body.
    const value = (n: number) => String(n).padStart(limits.METADATA_KEY_LENGTH_MAX, '\u0001');
    const metadata = Object.fromEntries(
      Array.from({ length: limits.METADATA_KEYS_MAX }, (_, n) => [
        value(n),
        '\u0001'.repeat(limits.METADATA_VALUE_LENGTH_MAX),
      ]),
    );
    const bytesOf = (json: unknown) => new TextEncoder().encode(JSON.stringify(json)).length;
    expect(bytesOf({ metadata })).toBeLessThan(limits.BODY_BYTES_MAX);
    const request = { ...new SagaDriver().saga.data.request, metadata };
    const { saga } = new SagaDriver();
    const payment = paymentRow({ ...saga, data: { ...saga.data, request } });
    const run = { first: 1, last: 1, events: ['x'.repeat(limits.PUBLICATION_RUNS_BYTES_MAX)] };
    expect(bytesOf({ kind: 'publication', group_id: `payment_${payment.id}`, payment, runs: [run] })).toBeLessThan(
      128_000,
    );
  });

  test.each(['live', 'sandbox'] as const)('a hold outlives every window of a %s saga', (mode) => {
    const policy = SAGA_POLICIES[mode];
    expect(limits.HOLD_TTL_MS).toBeGreaterThan(
      policy.authorizeBudgetMs + policy.lateWindowMs + policy.compensationBudgetMs,
    );
  });

  /** Every time of a policy, by its path. */
  function timesOf(policy: object): [string, unknown][] {
    return Object.entries(policy).flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null
        ? timesOf(value).map(([path, time]): [string, unknown] => [`${name}.${path}`, time])
        : [[name, value]],
    );
  }

  test.each(Object.entries({ saga: SAGA_POLICIES, webhook: WEBHOOK_POLICIES }))(
    'every time of a %s policy is whole milliseconds, and each mode has them all',
    (_kind, { live, sandbox }) => {
      for (const [path, time] of [...timesOf(live), ...timesOf(sandbox)]) {
        expect([path, Number.isSafeInteger(time) && Number(time) > 0]).toEqual([path, true]);
      }
      const scalars = (policy: object) => timesOf(policy).filter(([path]) => !/Schedule/.test(path));
      expect(scalars(sandbox).map(([path]) => path)).toEqual(scalars(live).map(([path]) => path));
      for (const policy of [live, sandbox]) {
        expect(timesOf(policy).map(([path]) => path)).toEqual(
          expect.arrayContaining(['resend.firstMs', 'resend.maxMs', expect.stringMatching(/Schedule.*\.4$/)]),
        );
      }
    },
  );

  test.each(['live', 'sandbox'] as const)('the times of a %s saga are in order', (mode) => {
    const { resend, resendGateway, lookupScheduleMs, lateWindowMs, authorizeBudgetMs, absenceGraceMs } =
      SAGA_POLICIES[mode];
    expect(resend.firstMs).toBeLessThanOrEqual(resend.maxMs);
    expect(resendGateway.firstMs).toBeLessThanOrEqual(resendGateway.maxMs);
    // An authorization whose message was lost is sent again while its step may still call.
    expect(resendGateway.firstMs).toBeLessThan(authorizeBudgetMs);
    expect(lookupScheduleMs).toEqual([...lookupScheduleMs].sort((left, right) => left - right));
    // An absence can be proven before the window closes.
    expect(authorizeBudgetMs + absenceGraceMs).toBeLessThan(lateWindowMs);
  });

  test('the published look-up schedule of live mode is 5 s, 30 s, 5 min, 1 h, then daily, for 72 h', () => {
    expect(SAGA_POLICIES.live.lookupScheduleMs).toEqual([5_000, 30_000, 300_000, 3_600_000, 86_400_000]);
    expect(SAGA_POLICIES.live.lateWindowMs).toBe(72 * 3_600_000);
  });

  test('consumers that ask D1, which is one thread, in every batch are few at once', () => {
    const { queues } = parse(readFileSync('wrangler.toml', 'utf8')) as unknown as {
      readonly queues: { readonly consumers: readonly { readonly queue: string; readonly max_concurrency?: number }[] };
    };
    const held = queues.consumers.filter(({ max_concurrency: most }) => most !== undefined);
    const dead = [
      'wallet-commands-dlq',
      'gateway-commands-dlq',
      'notifications-dlq',
      'payment-events-dlq',
      'dead-letters',
    ];
    expect(Object.fromEntries(held.map(({ queue, max_concurrency: most }) => [queue, most]))).toEqual({
      notifications: 10,
      'payment-events': 10,
      ...Object.fromEntries(dead.map((queue) => [queue, 5])),
    });
  });

  test('every queue batch fits one wallet call, and one sendBatch', () => {
    const sizes = [...readFileSync('wrangler.toml', 'utf8').matchAll(/^max_batch_size = (\d+)$/gm)].map(([, size]) =>
      Number(size),
    );
    expect(sizes.length).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limits.WALLET_COMMANDS_MAX);
  });
});
