/** The breakers as the gateway meets them: asked and told once per batch, and never in the way. */
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { OperationReport, Permits, Wants } from '../../src/domain/provider-health.ts';
import { GatewayBatch } from '../../src/gateway/gateway.ts';
import { HealthBatch, type HealthDesk, healthDeskOf } from '../../src/gateway/health.ts';
import type { ProviderAnswer } from '../../src/gateway/provider.ts';
import { MercadoPagoAdapter } from '../../src/gateway/providers/mercado-pago.ts';
import { StripeAdapter } from '../../src/gateway/providers/stripe.ts';
import { command, NOW_MS, responseOf, saying } from './commands.ts';
import { NO_ANSWER, replying } from './support/replies.ts';

function deskSaying(permits: Permits) {
  const asked: { provider: string; wants: Wants }[] = [];
  const told: { provider: string; reports: readonly OperationReport[] }[] = [];
  const desk: HealthDesk = {
    ask: async (provider, wants) => {
      asked.push({ provider, wants: { ...wants } });
      return permits;
    },
    tell: async (provider, reports) => {
      told.push({ provider, reports });
    },
  };
  return { desk, asked, told };
}

const APPROVED: ProviderAnswer = { kind: 'approved', reference: 'ch_1', captured: false };
const batchOver = (desk: HealthDesk, answer: ProviderAnswer, free = new Map<string, number>()) => {
  const acme = saying('acme', answer);
  const batch = new GatewayBatch(new Map([['acme', acme]]), new HealthBatch(desk, 'sandbox', free), 5);
  return { acme, batch };
};
const runMany = (batch: GatewayBatch, count: number) =>
  Promise.all(Array.from({ length: count }, () => batch.run(command('authorize', { provider: 'acme' }), () => NOW_MS)));

describe('a batch', () => {
  it('asks once and tells once, for all of its calls', async () => {
    const { desk, asked, told } = deskSaying({});
    const { batch } = batchOver(desk, APPROVED);
    await Promise.all([runMany(batch, 7), batch.run(command('capture', { provider: 'acme' }), () => NOW_MS)]);
    await batch.close();
    expect(asked).toEqual([{ provider: 'acme', wants: { authorize: 7, capture: 1 } }]);
    expect(told).toHaveLength(1);
    expect(told[0]?.reports).toHaveLength(8);
  });

  it('need not ask while an earlier one has seen the breaker closed, but always tells', async () => {
    const { desk, asked, told } = deskSaying({ authorize: { kind: 'free' } });
    const free = new Map<string, number>();
    for (let turn = 0; turn < 3; turn += 1) {
      const { batch } = batchOver(desk, APPROVED, free);
      await runMany(batch, 1);
      await batch.close();
    }
    expect(asked).toHaveLength(1);
    expect(told).toHaveLength(3);
  });

  it('sends nothing through an open breaker, says until when, and never remembers a refusal', async () => {
    const { desk, asked, told } = deskSaying({ authorize: { kind: 'refused', retryAfterMs: 12_000 } });
    const { batch, acme } = batchOver(desk, APPROVED);
    for (let turn = 0; turn < 2; turn += 1) {
      const [outcome] = await runMany(batch, 1);
      if (outcome === undefined) throw new Error('no outcome');
      expect(responseOf(outcome)).toMatchObject({ gateway_status: 'NOT_SENT', reason: 'breaker_open' });
      expect(outcome.retryAfterMs).toBe(12_000);
    }
    await batch.close();
    expect(acme.calls).toEqual([]);
    expect(asked).toHaveLength(2);
    expect(told).toEqual([]);
  });

  it('makes as many calls as it holds leases, and tells each under its own', async () => {
    const { desk, told } = deskSaying({ authorize: { kind: 'leased', leases: ['l-1', 'l-2'], retryAfterMs: 1_000 } });
    const { batch, acme } = batchOver(desk, APPROVED);
    const statuses = (await runMany(batch, 5)).map((outcome) => responseOf(outcome).gateway_status);
    await batch.close();
    expect(statuses).toEqual(['AUTHORIZED', 'AUTHORIZED', 'NOT_SENT', 'NOT_SENT', 'NOT_SENT']);
    expect(acme.calls).toHaveLength(2);
    expect(told[0]?.reports.map((report) => report.leaseId)).toEqual(['l-1', 'l-2']);
  });
});

describe('a health object that does not answer', () => {
  it.each([
    ['throws', { ask: () => Promise.reject(new Error('reset')), tell: () => Promise.reject(new Error('reset')) }],
    ['hangs', { ask: () => new Promise<Permits>(() => {}), tell: async () => {} }],
  ] as const)('and %s is not in the way', async (_says, desk) => {
    const { batch } = batchOver(desk, APPROVED);
    const [outcome] = await runMany(batch, 1);
    await batch.close();
    expect(outcome && responseOf(outcome).gateway_status).toBe('AUTHORIZED');
  });
});

describe('as a sign of health', () => {
  it.each([
    [APPROVED, 'success'],
    [{ kind: 'declined', declineCode: 'lost_card' }, 'success'],
    [{ kind: 'refused', code: 'invalid_request' }, 'success'],
    [{ kind: 'pending' }, 'success'],
    [{ kind: 'unknown', reason: 'timeout' }, 'failure'],
    [{ kind: 'not_sent', reason: 'provider_unavailable' }, 'failure'],
    [{ kind: 'misconfigured', reason: 'http_401' }, 'failure'],
    [{ kind: 'throttled', retryAfterMs: 1 }, 'no_sign'],
    [{ kind: 'unknown', reason: 'idempotency_key_reused' }, 'no_sign'],
    // What follows came from a provider that had answered: that we cannot tell what it means is no outage.
    [{ kind: 'unknown', reason: 'cause_2001' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'http_400' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'http_404' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'http_409' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'idempotency_key_in_use' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'lock_timeout' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'charge_not_found_yet' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'refund_not_told_apart' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'several_charges_in_force' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'answer_mismatch' }, 'no_sign'],
    [{ kind: 'unknown', reason: 'answer_unexpected' }, 'no_sign'],
  ] as const)('%j is a %s', async (answer, result) => {
    const { desk, told } = deskSaying({});
    const { batch } = batchOver(desk, answer);
    await runMany(batch, 1);
    await batch.close();
    expect(told[0]?.reports).toEqual([{ operation: 'authorize', result, slow: false }]);
  });
});

describe('where nothing usable was heard', () => {
  it.each(NO_ANSWER)(
    '%s is a failure of every provider, but for 429 and what is an answer',
    async (_says, reply, expected) => {
      const { desk, told } = deskSaying({});
      const access = {
        secretKey: 'sk_test_0123456789',
        accessToken: 'a',
        webhookSecret: 'w',
        currency: 'BRL',
        timeoutMs: 50,
      };
      for (const Adapter of [StripeAdapter, MercadoPagoAdapter]) {
        const provider = new Adapter({ ...access, fetcher: replying(reply) });
        const batch = new GatewayBatch(
          new Map([[provider.name, provider]]),
          new HealthBatch(desk, 'live', new Map()),
          5,
        );
        await batch.run(command('lookup', { provider: provider.name, provider_reference: '77' }), () => NOW_MS);
        await batch.close();
      }
      const isHeard =
        expected.kind === 'throttled' || ('reason' in expected && expected.reason === 'answer_unexpected');
      const result = isHeard ? 'no_sign' : 'failure';
      expect(told.flatMap(({ reports }) => reports.map((report) => report.result))).toEqual([result, result]);
    },
  );
});

describe('the health object of a provider', () => {
  const failures = (count: number, operation: 'authorize' | 'refund' = 'authorize'): OperationReport[] =>
    Array.from({ length: count }, () => ({ operation, result: 'failure', slow: false }));
  const stateOf = async (provider: string, operation: string) =>
    (await env.PROVIDER_HEALTH.getByName(provider).read()).find((view) => view.operation === operation)?.state;

  it('opens one operation and leaves the others alone', async () => {
    const desk = healthDeskOf(env);
    await desk.tell('p-1', failures(20));
    const permits = await desk.ask('p-1', { authorize: 1, lookup: 1 });
    expect(permits.authorize).toMatchObject({ kind: 'refused' });
    expect(permits.lookup).toEqual({ kind: 'free' });
  });

  it('keeps an operator\u2019s word until it is taken back', async () => {
    const health = env.PROVIDER_HEALTH.getByName('p-2');
    await health.force('open');
    await health.tell([{ operation: 'authorize', result: 'success', slow: false }]);
    expect(await stateOf('p-2', 'authorize')).toBe('forced_open');
    await health.force('closed', 'authorize');
    await health.tell(failures(50));
    expect(await healthDeskOf(env).ask('p-2', { authorize: 1 })).toEqual({ authorize: { kind: 'free' } });
    expect(await stateOf('p-2', 'refund')).toBe('forced_open');
    await health.force(null);
    expect(await stateOf('p-2', 'authorize')).toBe('closed');
  });
});
