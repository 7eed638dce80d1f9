/**
 * What really travels is what docs/asyncapi.json says: messages are caught at every consumer, webhooks at a receiver and events
 * in both timelines, of payments and refunds that end in several ways, and each is held against the schema of its channel.
 * By @cfworker/json-schema, which needs no `eval`; that the schemas themselves are sound is test/documents/asyncapi.test.ts.
 */

import { env } from 'cloudflare:workers';
import { type Schema, Validator } from '@cfworker/json-schema';
import { afterEach, expect, test } from 'vitest';
import document from '../../docs/asyncapi.json';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { type Delivery, loseMessages } from '../support/losses.ts';
import { call, createPayment, freshKey, json, terminal, until } from '../support/payments.ts';
import { Receiver, verified } from '../support/receiver.ts';
import { deleteEndpoints, makeEndpoint } from '../support/webhooks.ts';

const CHANNELS: Readonly<Record<string, { readonly messages: Readonly<Record<string, unknown>> }>> = document.channels;

afterEach(async () => {
  loseMessages(null);
  await deleteEndpoints();
});

const validators = new Map<string, Validator>();
/** What is wrong with a message in a channel; empty: nothing. */
function wrongIn(channel: string, name: string, value: unknown): readonly string[] {
  if (CHANNELS[channel]?.messages[name] === undefined) return [`${channel} has no message ${name}`];
  const schema = { $ref: `#/components/schemas/${name}`, components: document.components } as unknown as Schema;
  const validator = validators.get(name) ?? new Validator(schema, '7');
  validators.set(name, validator);
  return validator.validate(value).errors.map(({ instanceLocation, error }) => `${name} ${instanceLocation}: ${error}`);
}

const KINDS: Readonly<Record<string, string>> = {
  publication: 'Publication',
  wallet_opened: 'WalletOpened',
  dead_message: 'DeadMessage',
};

function nameOf(body: unknown): string {
  const { kind, event_type: type } = body as { readonly kind?: string; readonly event_type?: string };
  return type ?? KINDS[kind ?? ''] ?? `nothing known: ${JSON.stringify(body)}`;
}

async function refunded(paymentId: string): Promise<string> {
  const response = await call('/refunds', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('refund') },
    body: JSON.stringify({ payment_id: paymentId, amount: 100 }),
  });
  const { id } = await response.json<{ id: string }>();
  await until(
    () => json<{ status: string }>(`/refunds/${id}`),
    ({ status }) => status !== 'PENDING',
  );
  return id;
}

async function timelineOf(path: string): Promise<readonly Envelope[]> {
  return (await json<{ data: Envelope[] }>(`${path}/events`)).data;
}

test('messages of every queue, webhooks and timelines are as the document says', async () => {
  const caught: Delivery[] = [];
  loseMessages((delivery) => {
    caught.push(delivery);
    return false;
  });
  const receiver = new Receiver();
  const { secret } = await makeEndpoint({ url: receiver.url });
  const card = { method: 'credit_card', token: 'pm_card_visa' };
  const ways = [
    {},
    card,
    { token: 'pm_card_visa_chargeDeclined' },
    { token: 'pm_sim_debit_fail' },
    { token: 'pm_sim_timeout_after_success' },
    { amount: 9_000_000_000_000_000 },
  ];
  const wallet = freshKey('asyncapi-wallet');
  const payments = await Promise.all(ways.map((way) => createPayment({ wallet_id: wallet, ...way })));
  await Promise.all(payments.map(({ id }) => terminal(id)));
  const refund = await refunded(payments[0]?.id ?? '');
  await env.WALLET_COMMANDS.send({ poison: true });

  const heard = await receiver.heard(ways.length + 1);
  const isCaught = (queue: string, name: string): boolean =>
    caught.some((one) => one.queue === queue && nameOf(one.body) === name);
  const EXPECTED = [
    ['wallet-commands', 'orchestrator.wallet.release_funds'],
    ['wallet-commands', 'orchestrator.wallet.credit'],
    ['gateway-commands', 'orchestrator.gateway.capture'],
    ['gateway-commands', 'orchestrator.gateway.unauthorize'],
    ['gateway-commands', 'orchestrator.gateway.lookup'],
    ['notifications', 'orchestrator.notify.payment_failure'],
    ['notifications', 'orchestrator.notify.refund_success'],
    ['payment-events', 'Publication'],
    ['payment-events', 'WalletOpened'],
    ['dead-letters', 'DeadMessage'],
  ] as const;
  const missing = () => EXPECTED.filter(([queue, name]) => !isCaught(queue, name));
  await until(
    async () => missing(),
    (lacking) => lacking.length === 0,
  );

  const isPoison = ({ body }: Delivery): boolean => (body as { poison?: boolean }).poison === true;
  const queued = caught
    .filter((one) => !isPoison(one))
    .flatMap(({ queue, body }) => wrongIn(queue, nameOf(body), body));
  const hooks = heard.map((each) => verified(secret, each));
  const told = hooks.flatMap((event) => wrongIn('webhooks', `webhook.${event.type}`, event));
  const [ofPayments, ofRefund] = [
    (await Promise.all(payments.map(({ id }) => timelineOf(`/payments/${id}`)))).flat(),
    await timelineOf(`/refunds/${refund}`),
  ];
  const logged = [
    ...ofPayments.flatMap((event) => wrongIn('payment-timeline', event.event_type, event)),
    ...ofRefund.flatMap((event) => wrongIn('refund-timeline', event.event_type, event)),
  ];
  expect({ queued, told, logged }).toEqual({ queued: [], told: [], logged: [] });
  expect(ofRefund.length).toBeGreaterThan(8);
  expect(new Set(hooks.map(({ type }) => type))).toEqual(
    new Set(['payment.completed', 'payment.failed', 'refund.completed']),
  );

  // And the check sees what is not so.
  const [first] = ofPayments;
  expect(wrongIn('payment-timeline', 'payment.created', { ...first, payload: {} })).not.toEqual([]);
  expect(wrongIn('refund-timeline', 'payment.created', first)).toEqual([
    'refund-timeline has no message payment.created',
  ]);
});
