import { createMessageBatch } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { consumeGatewayCommands } from '../../queues/gateway-commands.ts';
import { chargeOf, createPayment, json, terminal } from '../support/payments.ts';

/** The authorize command of a payment, as it stands in its log. */
async function authorizeOf(paymentId: string): Promise<object> {
  const { data } = await json<{ data: { event_type: string }[] }>(`/payments/${paymentId}/events`);
  const event = data.find((each) => each.event_type === 'orchestrator.gateway.authorize');
  if (event === undefined) throw new Error('never authorized');
  return event;
}

function deliver(body: object, attempts: number) {
  const message = { id: crypto.randomUUID(), timestamp: Date.now(), attempts, body };
  return consumeGatewayCommands(createMessageBatch('gateway-commands', [message]), env);
}

describe('a redelivered authorization', () => {
  test('whose outcome is known calls nobody', async () => {
    const { id } = await createPayment({ wallet_id: 'redelivered' });
    await terminal(id);
    await deliver(await authorizeOf(id), 2);
    expect((await chargeOf(id))?.calls.authorize).toBe(1);
  });

  test('that is a first delivery calls its provider, which knows the key', async () => {
    const { id } = await createPayment({ wallet_id: 'redelivered' });
    await terminal(id);
    await deliver(await authorizeOf(id), 1);
    expect(await chargeOf(id)).toMatchObject({ status: 'authorized', calls: { authorize: 2 } });
  });
});
