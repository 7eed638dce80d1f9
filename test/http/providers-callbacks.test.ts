import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import { DAY_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import { retryCallbacks } from '../../src/gateway/deliver-callback.ts';
import { CALLBACK_BYTES_MAX } from '../../src/gateway/limits.ts';
import { SIGNATURE_HEADER, sandboxSigningSecret } from '../../src/gateway/providers/sandbox-protocol.ts';
import { signCallback } from '../../src/gateway/signature.ts';
import { type Problem, postRaw } from './client.ts';

/** A payment id of our namespace that no payment has. */
function unusedPaymentId(): string {
  return publicIdFromHex('pay_', env.PAYMENT_SAGA.newUniqueId().toString());
}

function event(id: string, paymentId: string): string {
  const metadata = { payment_id: paymentId, effect_id: `orchestrator.gateway.authorize.${paymentId}.1` };
  const data = { object: 'charge', id: 'ch_1', status: 'authorized', amount: 1_230, currency: 'USD', metadata };
  return JSON.stringify({ id, type: 'charge.updated', created_at_ms: 5, data });
}

async function callBack(
  body: string,
  options: { secret?: string; atMs?: number; to?: string } = {},
): Promise<Response> {
  const bytes = new Uint8Array(new TextEncoder().encode(body));
  const seconds = Math.floor((options.atMs ?? Date.now()) / 1_000);
  const signature = await signCallback(options.secret ?? sandboxSigningSecret('acme'), seconds, bytes);
  return postRaw(`/providers/${options.to ?? 'acme'}/callbacks`, body, { [SIGNATURE_HEADER]: signature });
}

async function stored(eventId: string) {
  return env.DB.prepare('SELECT status, attempts FROM provider_callbacks WHERE event_id = ?')
    .bind(eventId)
    .first<{ status: string; attempts: number }>();
}

describe('a callback that is not its provider’s', () => {
  test.each([
    ['signed with another secret', { secret: 'whsec_other' }, 401],
    ['signed too long ago', { atMs: Date.now() - 10 * MINUTE_MS }, 401],
    ['to a provider that does not exist', { to: 'nobody' }, 404],
  ])('%s is refused, and nothing of it is stored', async (name, options, status) => {
    const id = `evt_${name.replaceAll(' ', '_')}`;
    const response = await callBack(event(id, unusedPaymentId()), options);
    expect(response.status).toBe(status);
    expect(await stored(id)).toBeNull();
  });

  test('without a signature is refused before it is parsed', async () => {
    const response = await postRaw('/providers/acme/callbacks', '{', {});
    expect(response.status).toBe(401);
    expect((await response.json<Problem>()).code).toBe('callback_signature_invalid');
  });

  test('above the limit is refused unread', async () => {
    expect((await callBack('x'.repeat(CALLBACK_BYTES_MAX + 1))).status).toBe(413);
  });
});

test('a genuine callback that cannot be read is 400', async () => {
  const response = await callBack('{"id": 1}');
  expect(response.status).toBe(400);
  expect((await response.json<Problem>()).code).toBe('callback_malformed');
});

test('a genuine callback of an id that is none of ours is acknowledged, and nothing of it is stored', async () => {
  const foreign = publicIdFromHex('pay_', env.WALLET.newUniqueId().toString());
  const response = await callBack(event('evt_foreign', foreign));
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ object: 'callback_receipt', status: 'ignored' });
  expect(await stored('evt_foreign')).toBeNull();
});

describe('a genuine callback that matches no payment', () => {
  test('is kept and never silently accepted: the provider is told to send it again', async () => {
    const body = event('evt_unmatched', unusedPaymentId());
    const response = await callBack(body);
    expect(response.status).toBe(503);
    expect(await response.json<Problem>()).toMatchObject({ code: 'callback_unmatched', retryable: true });
    expect(await stored('evt_unmatched')).toEqual({ status: 'unmatched', attempts: 1 });
  });

  test('is tried again by the cron, and abandoned after a day', async () => {
    await callBack(event('evt_retried', unusedPaymentId()));
    await retryCallbacks(env, Date.now() + 2 * MINUTE_MS);
    expect(await stored('evt_retried')).toMatchObject({ status: 'unmatched', attempts: 2 });
    await retryCallbacks(env, Date.now() + DAY_MS + MINUTE_MS);
    expect((await stored('evt_retried'))?.status).toBe('abandoned');
    await retryCallbacks(env, Date.now() + 2 * DAY_MS);
    expect((await stored('evt_retried'))?.status).toBe('abandoned');
  });
});

describe('callbacks whose delivery throws', () => {
  /** Callbacks of payments whose objects are away, received at these times. */
  async function keep(prefix: string, count: number, receivedAtMs: number): Promise<void> {
    const insert = env.DB.prepare(
      `INSERT INTO provider_callbacks
         (provider, event_id, entity_id, outcome, status, attempts, occurred_at_ms, received_at_ms)
       VALUES ('acme', ?, ?, '{}', 'received', 0, 1, ?)`,
    );
    await env.DB.batch(
      Array.from({ length: count }, (_, n) => insert.bind(`${prefix}-${n}`, unusedPaymentId(), receivedAtMs + n)),
    );
  }

  const away = {
    ...env,
    PAYMENT_SAGA: {
      idFromString: (hex: string) => env.PAYMENT_SAGA.idFromString(hex),
      get: () => {
        throw new Error('away');
      },
    },
  } as unknown as Env;

  beforeEach(async () => {
    await env.DB.prepare('DELETE FROM provider_callbacks').run();
  });

  test('are noted as tried, and leave the next turn to those that were not', async () => {
    const nowMs = Date.now();
    await keep('away', 200, nowMs - 10 * MINUTE_MS);
    await keep('later', 1, nowMs - 5 * MINUTE_MS);
    await retryCallbacks(away, nowMs);
    expect(await stored('away-0')).toEqual({ status: 'received', attempts: 1 });
    expect(await stored('later-0')).toEqual({ status: 'received', attempts: 0 });
    await retryCallbacks(env, nowMs + MINUTE_MS);
    expect(await stored('later-0')).toEqual({ status: 'unmatched', attempts: 1 });
  });

  test('are given up after a day like any other, with an alert', async () => {
    const nowMs = Date.now();
    await keep('broken', 1, nowMs);
    const log = vi.spyOn(console, 'log');
    await retryCallbacks(away, nowMs + DAY_MS - 1);
    expect((await stored('broken-0'))?.status).toBe('received');
    await retryCallbacks(away, nowMs + DAY_MS + MINUTE_MS);
    expect((await stored('broken-0'))?.status).toBe('abandoned');
    const lines = log.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'callback.retried', status: 'abandoned', alert: true }),
    );
    log.mockRestore();
  });
});
