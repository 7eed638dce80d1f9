/** What the notifications consumer does when an endpoint cannot take what it is handed, and the email channel beside it. */
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import { consumeNotifications } from '../../queues/notifications.ts';
import { groupIdOf } from '../../src/domain/events/envelope.ts';
import { webhookEndpointId } from '../../src/domain/webhook.ts';
import type { Notification } from '../../src/domain/webhook-delivery.ts';
import { enterEndpoint, strikeEndpoint } from '../../src/read-model/webhook-endpoints.ts';
import { createPayment, freshKey, terminal } from '../support/payments.ts';
import { deliver, freshPaymentId, message, transient } from './messages.ts';

const QUEUE = 'notifications';
const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const [BROKEN, WHOLE] = [webhookEndpointId(1n), webhookEndpointId(2n)];

afterEach(async () => {
  for (const id of [BROKEN, WHOLE]) await strikeEndpoint(env.DB, SCOPE, id);
});

/** An environment whose endpoints write down what they are given; BROKEN throws, as long as `broken()` says so. */
function withEndpoints(broken: () => boolean) {
  const given = new Map<string, (readonly Notification[])[]>();
  const acknowledged: string[] = [];
  const WEBHOOK_ENDPOINT = {
    getByName: (name: string) => ({
      accept: async (notifications: readonly Notification[]) => {
        const id = name.split('|').at(-1) ?? '';
        if (id === BROKEN && broken()) throw transient();
        given.set(id, [...(given.get(id) ?? []), notifications]);
        return { kind: 'accepted' };
      },
      read: async () => ({ kind: 'found', endpoint: { id: name.split('|').at(-1), status: 'enabled' } }),
      acknowledgeNotice: async (effectId: string) => void acknowledged.push(effectId),
    }),
  };
  return { acknowledged, given, env: { ...env, WEBHOOK_ENDPOINT } as unknown as Env };
}

async function completed(): Promise<string> {
  const { id } = await createPayment({ wallet_id: freshKey('fan-out-wallet') });
  await terminal(id);
  return id;
}

describe('the fan-out', () => {
  test('is one call per endpoint for a whole batch, and an endpoint that fails has the messages for it tried again', async () => {
    await enterEndpoint(env.DB, { id: BROKEN, scope: SCOPE, events: ['payment.completed'] }, 0);
    await enterEndpoint(env.DB, { id: WHOLE, scope: SCOPE, events: null }, 0);
    const [paid, other] = [await completed(), await completed()];
    const bodies = [
      message('orchestrator.notify.payment_success', paid),
      message('orchestrator.notify.payment_success', other),
      // Not for the broken one. No event of that payment's log has the example's sequence: what is told is the payment as it stands.
      message('orchestrator.notify.payment_failure', other),
    ];
    let breaks = true;
    const { given, env: testEnv } = withEndpoints(() => breaks);
    const settled = await deliver(consumeNotifications, QUEUE, bodies, testEnv);
    expect(settled).toEqual({ acked: ['m3'], retried: { m1: 1, m2: 1 } });
    expect(given.get(WHOLE)?.map((batch) => batch.map(({ eventType }) => eventType))).toEqual([
      ['payment.completed', 'payment.completed', 'payment.failed'],
    ]);
    breaks = false;
    expect((await deliver(consumeNotifications, QUEUE, bodies, testEnv)).acked).toEqual(['m1', 'm2', 'm3']);
    const [again] = given.get(BROKEN) ?? [];
    expect(again?.map(({ key }) => key)).toEqual(
      given
        .get(WHOLE)?.[0]
        ?.slice(0, 2)
        .map(({ key }) => key),
    );
  });

  test("of a batch of several merchants gives each merchant's endpoints what is that merchant's", async () => {
    const others = { ...SCOPE, merchant: 'another' };
    await enterEndpoint(env.DB, { id: BROKEN, scope: others, events: null }, 0);
    await enterEndpoint(env.DB, { id: WHOLE, scope: SCOPE, events: null }, 0);
    const own = message('orchestrator.notify.payment_success', await completed());
    const foreign = message('orchestrator.notify.payment_success', freshPaymentId());
    const { given, env: testEnv } = withEndpoints(() => false);
    const bodies = [own, { ...foreign, metadata: { ...foreign.metadata, merchant: 'another' } }];
    expect((await deliver(consumeNotifications, QUEUE, bodies, testEnv)).acked).toEqual(['m1', 'm2']);
    expect([...given.keys()]).toEqual([WHOLE]);
    expect(given.get(WHOLE)?.flat()).toHaveLength(1);
    await strikeEndpoint(env.DB, others, BROKEN);
  });

  test('of a disabling is to the other endpoints, also where the one that tells of itself has been enabled again', async () => {
    const type = 'orchestrator.notify.webhook_endpoint_disabled';
    const example = message(type, WHOLE);
    const effectId = `${type}.${WHOLE}.1`;
    const notice = {
      ...example,
      payload: { endpoint_id: WHOLE, reason: 'failing' },
      metadata: {
        ...example.metadata,
        ...SCOPE,
        message_group_id: groupIdOf(WHOLE),
        message_deduplication_id: effectId,
      },
    };
    await enterEndpoint(env.DB, { id: WHOLE, scope: SCOPE, events: null }, 0);
    const alone = withEndpoints(() => false);
    expect((await deliver(consumeNotifications, QUEUE, [notice], alone.env)).acked).toEqual(['m1']);
    expect(alone).toMatchObject({ given: new Map(), acknowledged: [effectId] });
    await enterEndpoint(env.DB, { id: BROKEN, scope: SCOPE, events: null }, 0);
    const { given, env: testEnv } = withEndpoints(() => false);
    expect((await deliver(consumeNotifications, QUEUE, [notice], testEnv)).acked).toEqual(['m1']);
    expect([...given.keys()]).toEqual([BROKEN]);
  });

  test('of what has no owner any more is nothing, and the message is done', async () => {
    await enterEndpoint(env.DB, { id: WHOLE, scope: SCOPE, events: null }, 0);
    const { given, env: testEnv } = withEndpoints(() => false);
    const body = message('orchestrator.notify.payment_success', freshPaymentId());
    expect((await deliver(consumeNotifications, QUEUE, [body], testEnv)).acked).toEqual(['m1']);
    expect(given.size).toBe(0);
  });
});

describe('the email channel', () => {
  const addresses = { NOTIFY_EMAIL_FROM: 'holdfast@shop.io', NOTIFY_EMAIL_TO: 'ops@shop.io' };
  const sent: { from: string; to: string; subject: string; text: string }[] = [];
  const EMAIL = { send: async (mail: (typeof sent)[number]) => void sent.push(mail) };

  afterEach(() => {
    sent.length = 0;
  });

  test('mails what is new, once, to the configured address', async () => {
    const id = freshPaymentId();
    const body = message('orchestrator.notify.payment_success', id);
    const testEnv = { ...env, EMAIL, ...addresses } as unknown as Env;
    await deliver(consumeNotifications, QUEUE, [body, body], testEnv);
    await deliver(consumeNotifications, QUEUE, [body], testEnv);
    expect(sent).toMatchObject([{ from: 'holdfast@shop.io', to: 'ops@shop.io', subject: `payment.completed ${id}` }]);
    expect(sent[0]?.text).toContain('"status": "COMPLETED"');
  });

  test('is off unless both addresses are set', async () => {
    const body = message('orchestrator.notify.payment_success', freshPaymentId());
    await deliver(consumeNotifications, QUEUE, [body], { ...env, EMAIL } as unknown as Env);
    expect(sent).toEqual([]);
  });

  test('that fails holds nothing up', async () => {
    const broken = { send: () => Promise.reject(new Error('destination address not verified')) };
    const body = message('orchestrator.notify.payment_success', freshPaymentId());
    const testEnv = { ...env, EMAIL: broken, ...addresses } as unknown as Env;
    expect((await deliver(consumeNotifications, QUEUE, [body], testEnv)).acked).toEqual(['m1']);
  });

  test("works with the platform's own binding, which is simulated locally", async () => {
    const { messageId } = await env.EMAIL.send({ from: 'a@shop.io', to: 'b@shop.io', subject: 'x', text: 'y' });
    expect(messageId).not.toBe('');
  });
});
