/**
 * Consumer of `notifications`: takes over, durably and once, what is to be told, logs it, and tells the saga that it has
 * it. Delivery to endpoints is not here.
 */

import type { Event } from '../src/domain/events/decode.ts';
import { entityOf } from '../src/domain/events/envelope.ts';
import { recordNotifications } from '../src/read-model/record-notifications.ts';
import { sagaStub } from '../src/stubs.ts';
import { logLine } from '../src/telemetry/log.ts';
import { type Consumed, consume } from './consume.ts';
import { commandDecoder } from './decode-command.ts';
import { ACK, type Verdict, verdictOnError } from './retry-policy.ts';

const TYPES = [
  'orchestrator.notify.payment_success',
  'orchestrator.notify.payment_failure',
  'orchestrator.notify.refund_success',
  'orchestrator.notify.refund_failure',
] as const;
type NotifyMessage = Extract<Event, { event_type: (typeof TYPES)[number] }>;

export async function consumeNotifications(batch: MessageBatch, env: Env): Promise<void> {
  await consume<NotifyMessage>(batch, env, {
    decode: commandDecoder(TYPES),
    groupKey: () => 'notifications',
    handle: (items) => takeOver(env, items),
  });
}

async function takeOver(env: Env, items: readonly Consumed<NotifyMessage>[]): Promise<readonly Verdict[]> {
  await recordNotifications(
    env.DB,
    items.map(({ body }) => body),
    Date.now(),
  );
  return Promise.all(
    items.map(async ({ body, message }): Promise<Verdict> => {
      const { payment_id: paymentId, status } = body.payload;
      logLine('notification.taken_over', { event_type: body.event_type, payment_id: paymentId, status });
      try {
        await sagaStub(env, entityOf(body.metadata.message_group_id))?.acknowledge({
          effectIds: [body.metadata.message_deduplication_id],
        });
        return ACK;
      } catch (error) {
        return verdictOnError(error, message.attempts, Math.random());
      }
    }),
  );
}
