/** The rules of the gateway itself, over providers that answer what the test says. */
import { env } from 'cloudflare:workers';
import { describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import type { OperationReport } from '../../src/domain/provider-health.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import { type Delivery, GatewayBatch, openGatewayBatch } from '../../src/gateway/gateway.ts';
import { HealthBatch, type HealthDesk } from '../../src/gateway/health.ts';
import { providerKey } from '../../src/gateway/keys.ts';
import type { LookupAnswer, Provider, ProviderAnswer } from '../../src/gateway/provider.ts';
import { providersOf } from '../../src/gateway/registry.ts';
import type { GatewayCommand } from '../../src/gateway/requests.ts';
import { command, NOW_MS, newPaymentId, responseOf, saying } from './commands.ts';

const providers = (...list: Provider[]) => new Map(list.map((provider) => [provider.name, provider]));

/** The gateway over these providers, all of them healthy. */
async function carryOut(given: Map<string, Provider>, told: GatewayCommand, nowMs: number, delivery: Delivery = {}) {
  const health = new HealthBatch({ ask: async () => ({}), tell: async () => {} }, 'sandbox', new Map());
  return await new GatewayBatch(given, health, 5).run(told, () => nowMs, delivery);
}

/** What a gateway with no provider answers, and the alerts of its log lines. */
async function logged(told: GatewayCommand, delivery: Delivery = {}) {
  const log = vi.spyOn(console, 'log');
  const response = responseOf(await carryOut(providers(), told, NOW_MS, delivery));
  const lines = log.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
  log.mockRestore();
  const mine = lines.filter((line) => line.effect_id === told.metadata.message_deduplication_id);
  return { response, alerts: mine.map(({ alert }) => alert) };
}

const APPROVED = { kind: 'approved', reference: 'ch_1', captured: false } as const;
const NOT_SENT: ProviderAnswer = { kind: 'not_sent', reason: 'not_connected' };

describe('an outcome', () => {
  it('answers the effect of its command', async () => {
    const told = command('authorize');
    const outcome = await carryOut(providers(saying('acme', APPROVED)), told, NOW_MS);
    expect(outcome).toEqual({
      effect_id: told.metadata.message_deduplication_id,
      fact: {
        event_type: 'payment_gateway.response',
        payload: {
          payment_id: told.payload.payment_id,
          operation: 'authorize',
          gateway_status: 'AUTHORIZED',
          provider: 'acme',
          provider_reference: 'ch_1',
        },
      },
    });
  });

  it('carries how long the provider asks to be left alone', async () => {
    const acme = saying('acme', { kind: 'throttled', retryAfterMs: 7_000 });
    const outcome = await carryOut(providers(acme), command('authorize'), NOW_MS);
    expect(outcome.retryAfterMs).toBe(7_000);
    expect(responseOf(outcome)).toMatchObject({ gateway_status: 'NOT_SENT', retry_after_ms: 7_000 });
  });

  it.each(['refund', 'lookup'] as const)(
    "of a refund (%s) carries the refund's reference as its own, never as the payment's",
    async (operation) => {
      const acme = saying('acme', { kind: 'refunded', reference: 're_1' });
      const told = command(operation, { provider: 'acme', refund_id: 'ref_1' });
      const response = responseOf(await carryOut(providers(acme), told, NOW_MS));
      expect(response).toMatchObject({ gateway_status: 'REFUNDED', refund_reference: 're_1' });
      expect(response.provider_reference).toBeUndefined();
    },
  );

  it("of a refund that was pending is asked for by the refund's own reference, now and when it is looked up", async () => {
    const asked: unknown[] = [];
    const acme: Provider = {
      ...saying('acme', { kind: 'pending', reference: 're_1' }),
      lookup: async ({ refundReference }) => {
        asked.push(refundReference);
        return { kind: 'refunded', reference: 're_1' };
      },
    };
    const refund = { provider: 'acme', refund_id: 'ref_1' };
    await carryOut(providers(acme), command('refund', refund), NOW_MS);
    await carryOut(providers(acme), command('lookup', { ...refund, refund_reference: 're_2' }), NOW_MS);
    await carryOut(providers(acme), command('lookup', refund), NOW_MS);
    expect(asked).toEqual(['re_1', 're_2', undefined]);
  });
});

describe('one command', () => {
  it('reaches one provider only: a failover is another command', async () => {
    const [acme, borealis] = [saying('acme', NOT_SENT), saying('borealis', APPROVED)];
    const response = responseOf(await carryOut(providers(acme, borealis), command('authorize'), NOW_MS));
    expect(response).toMatchObject({ gateway_status: 'NOT_SENT', provider: 'acme' });
    expect(borealis.calls).toEqual([]);
  });

  it.each(['lookup', 'unauthorize'] as const)(
    '%s says when the charge can have been made, if it knows',
    async (operation) => {
      const asked: unknown[] = [];
      const ask = async (request: object) => {
        asked.push('madeWithin' in request ? request.madeWithin : null);
        return { kind: 'absent' } as const;
      };
      const acme: Provider = { ...saying('acme', APPROVED), lookup: ask, void: ask };
      const span = { fromMs: NOW_MS, toMs: NOW_MS + 180_000 };
      const told = {
        provider: 'acme',
        authorized_from: new Date(span.fromMs).toISOString(),
        authorized_to: new Date(span.toMs).toISOString(),
      };
      await carryOut(providers(acme), command(operation, told), NOW_MS);
      // From before there was such a time, and still on its way.
      await carryOut(providers(acme), command(operation, { provider: 'acme' }), NOW_MS);
      expect(asked).toEqual([span, null]);
    },
  );

  it('goes to the provider that it names', async () => {
    const [acme, borealis] = [saying('acme', APPROVED), saying('borealis', APPROVED)];
    for (const operation of ['authorize', 'capture', 'unauthorize', 'refund', 'lookup'] as const) {
      await carryOut(providers(acme, borealis), command(operation, { provider: 'borealis' }), NOW_MS);
    }
    expect(acme.calls).toEqual([]);
    expect(borealis.calls.map((call) => call.operation)).toEqual(['authorize', 'capture', 'void', 'refund', 'lookup']);
  });

  it.each(['acme', 'borealis'])(
    'for a payment that %s cannot take is not sent, and says for good what it would decline it with',
    async (name) => {
      const provider = { ...saying(name, APPROVED), unfit: () => 'currency_not_supported' };
      // Of a redelivery too: what it can never take, an earlier delivery has not sent.
      for (const mayHaveBegun of [false, true]) {
        const told = command('authorize', { provider: name });
        const response = responseOf(await carryOut(providers(provider), told, NOW_MS, { mayHaveBegun }));
        expect(response).toMatchObject({
          gateway_status: 'NOT_SENT',
          reason: 'currency_not_supported',
          decline_code: 'currency_not_supported',
        });
      }
      expect(provider.calls).toEqual([]);
    },
  );

  it('that moves money and names no provider is a bug', async () => {
    for (const operation of ['capture', 'unauthorize', 'refund'] as const) {
      const told = carryOut(providers(saying('acme', APPROVED)), command(operation), NOW_MS);
      await expect(told).rejects.toThrow('gateway_provider_pinned');
    }
  });

  it.each(['capture', 'unauthorize', 'refund', 'lookup'] as const)(
    'to %s at a provider that is not configured is not sent, and calls for a person: the money is there',
    async (operation) => {
      const { response, alerts } = await logged(command(operation, { provider: 'stripe' }));
      expect(response).toMatchObject({ gateway_status: 'NOT_SENT', reason: 'provider_not_configured: stripe' });
      expect(response).not.toHaveProperty('decline_code');
      expect(alerts).toEqual([true]);
    },
  );

  it('to authorize at a provider that is not configured is passed on for good, and calls nobody', async () => {
    const { response, alerts } = await logged(command('authorize', { provider: 'mercado-pago' }));
    expect(response).toMatchObject({
      gateway_status: 'NOT_SENT',
      provider: 'mercado-pago',
      reason: 'provider_not_configured',
      decline_code: 'provider_not_configured',
    });
    expect(alerts).toEqual([undefined]);
  });

  it('to authorize at a provider that is no longer configured is unknown where an earlier delivery may have begun', async () => {
    const { response, alerts } = await logged(command('authorize', { provider: 'stripe' }), { mayHaveBegun: true });
    expect(response).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'earlier_delivery_unaccounted' });
    expect(response).not.toHaveProperty('decline_code');
    expect(alerts).toEqual([true]);
  });
});

describe('a command that comes too late', () => {
  const late = { not_after: new Date(NOW_MS - 1).toISOString() };

  it('is not begun, and is unknown: an earlier delivery may have been', async () => {
    const acme = saying('acme', APPROVED);
    const response = responseOf(await carryOut(providers(acme), command('authorize', late), NOW_MS));
    expect(response).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'expired', provider: 'acme' });
    expect(acme.calls).toEqual([]);
  });

  it('is begun up to the last millisecond', async () => {
    const now = { not_after: new Date(NOW_MS).toISOString() };
    const response = responseOf(await carryOut(providers(saying('acme', APPROVED)), command('authorize', now), NOW_MS));
    expect(response.gateway_status).toBe('AUTHORIZED');
  });
});

describe('a batch', () => {
  /** A provider whose authorizations are under way until the test ends them. */
  function waiting() {
    const calls: PromiseWithResolvers<void>[] = [];
    const acme: Provider = {
      ...saying('acme', APPROVED),
      authorize: async () => {
        const call = Promise.withResolvers<void>();
        calls.push(call);
        await call.promise;
        return APPROVED;
      },
    };
    const told: OperationReport[] = [];
    const desk: HealthDesk = {
      ask: async () => ({}),
      tell: async (_provider, reports) => {
        told.push(...reports);
      },
    };
    const batch = new GatewayBatch(providers(acme), new HealthBatch(desk, 'live', new Map()), 5);
    return { batch, calls, told };
  }

  it('has so many calls under way at once, and begins the next when one has ended', async () => {
    const { batch, calls } = waiting();
    const outcomes = Array.from({ length: 12 }, () => batch.run(command('authorize'), () => NOW_MS));
    for (let ended = 0; ended < 12; ended += 1) {
      await vi.waitFor(() => expect(calls).toHaveLength(Math.min(12, ended + 5)), 15_000);
      calls[ended]?.resolve();
      await outcomes[ended];
    }
  });

  it('begins no call whose time has passed while it waited, and tells the breaker nothing of it', async () => {
    const { batch, calls, told } = waiting();
    let nowMs = NOW_MS;
    const late = { not_after: new Date(NOW_MS).toISOString() };
    const outcomes = Array.from({ length: 6 }, () => batch.run(command('authorize', late), () => nowMs));
    await vi.waitFor(() => expect(calls).toHaveLength(5), 15_000);
    nowMs += 1;
    for (const call of calls) call.resolve();
    expect(responseOf((await outcomes[5]) as Outcome)).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'expired' });
    await batch.close();
    expect(calls).toHaveLength(5);
    expect(told).toHaveLength(5);
  });
});

describe('a delivery after one that may have begun', () => {
  const again = { mayHaveBegun: true };

  it.each([NOT_SENT, { kind: 'throttled', retryAfterMs: 1 } as const, { kind: 'misconfigured', reason: 'x' } as const])(
    'takes $kind of an authorization for no proof',
    async (answer) => {
      const told = await carryOut(providers(saying('acme', answer)), command('authorize'), NOW_MS, again);
      expect(responseOf(told)).toMatchObject({ gateway_status: 'UNKNOWN', reason: 'earlier_delivery_unaccounted' });
    },
  );

  it('takes every other answer as it is', async () => {
    const told = await carryOut(providers(saying('acme', APPROVED)), command('authorize'), NOW_MS, again);
    expect(responseOf(told).gateway_status).toBe('AUTHORIZED');
    const voided = command('unauthorize', { provider: 'acme' });
    const refusedVoid = await carryOut(providers(saying('acme', NOT_SENT)), voided, NOW_MS, again);
    expect(responseOf(refusedVoid).gateway_status).toBe('NOT_SENT');
  });
});

describe('a look-up without a pinned provider', () => {
  const ABSENT: LookupAnswer = { kind: 'absent' };
  const DECLINED: LookupAnswer = { kind: 'declined', declineCode: 'lost_card' };
  const UNKNOWN: LookupAnswer = { kind: 'unknown', reason: 'timeout' };
  const PENDING: LookupAnswer = { kind: 'pending', reference: 'ch_2' };

  it.each([
    [ABSENT, APPROVED, { gateway_status: 'AUTHORIZED', provider: 'borealis', provider_reference: 'ch_1' }],
    [UNKNOWN, APPROVED, { gateway_status: 'AUTHORIZED', provider: 'borealis' }],
    [PENDING, APPROVED, { gateway_status: 'AUTHORIZED', provider: 'borealis' }],
    [DECLINED, PENDING, { gateway_status: 'PENDING', provider: 'borealis' }],
    [ABSENT, UNKNOWN, { gateway_status: 'UNKNOWN', provider: 'borealis' }],
    [DECLINED, UNKNOWN, { gateway_status: 'UNKNOWN' }],
    [ABSENT, NOT_SENT, { gateway_status: 'NOT_SENT' }],
    [ABSENT, DECLINED, { gateway_status: 'UNAUTHORIZED', provider: 'borealis', decline_code: 'lost_card' }],
    [ABSENT, ABSENT, { gateway_status: 'ABSENT' }],
  ] as const)('that hears $kind and $kind tells what matters most', async (first, second, expected) => {
    const asked = providers(saying('acme', first), saying('borealis', second));
    expect(responseOf(await carryOut(asked, command('lookup'), NOW_MS))).toMatchObject(expected);
  });

  it('is not an absence while one candidate cannot be asked', async () => {
    const response = responseOf(await carryOut(providers(saying('acme', ABSENT)), command('lookup'), NOW_MS));
    expect(response.gateway_status).toBe('NOT_SENT');
  });
});

describe('the key that a provider sees', () => {
  it('is the same on every try and differs by operation, provider and entity', async () => {
    const acme = saying('acme', APPROVED);
    const told = command('authorize');
    await carryOut(providers(acme), told, NOW_MS);
    await carryOut(providers(acme), told, NOW_MS + 1, { mayHaveBegun: true });
    const pinned = { payment_id: told.payload.payment_id, provider: 'acme' };
    for (const operation of ['capture', 'unauthorize', 'refund'] as const) {
      await carryOut(providers(acme), command(operation, pinned), NOW_MS);
    }
    const refundId = newPaymentId().replace('pay_', 'ref_');
    await carryOut(providers(acme), command('refund', { ...pinned, refund_id: refundId }), NOW_MS);
    const id = told.payload.payment_id;
    expect(acme.calls.map((call) => call.key)).toEqual([
      `${id}.a.acme`,
      `${id}.a.acme`,
      `${id}.c.acme`,
      `${id}.v.acme`,
      `${id}.r.acme`,
      `${refundId}.r.acme`,
    ]);
  });

  it('fits every provider, and one that would not is a bug', () => {
    expect(providerKey(newPaymentId(), 'authorize', 'mercado-pago').length).toBeLessThanOrEqual(64);
    expect(() => providerKey(newPaymentId(), 'authorize', 'a-provider-too-long')).toThrow('provider_key_length');
  });
});

describe('in live mode', () => {
  const live = parseConfig({
    MODE: 'live',
    AUTH: 'required',
    API_KEY_SECRET: 'x'.repeat(32),
    STRIPE_SECRET_KEY: 'sk_test_0123456789',
    STRIPE_WEBHOOK_SECRET: 'whsec_0123456789',
  });

  it('the sandbox providers do not exist', async () => {
    if (!live.ok) throw new Error(live.problems.join());
    expect(providersOf(env, live.config).has('acme')).toBe(false);
    const told = command('authorize', { provider: 'acme' });
    const response = responseOf(await openGatewayBatch(env, live.config).run(told, () => NOW_MS));
    expect(response).toMatchObject({ gateway_status: 'NOT_SENT', provider: 'acme', reason: 'provider_not_configured' });
  });
});
