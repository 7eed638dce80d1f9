/** Which consumer takes which queue. A queue that is not here is a deployment without its consumer: a bug, said loudly. */
import { InvariantError } from '../src/domain/errors.ts';
import { queueNameOf } from '../src/domain/queue-names.ts';
import { consumeDeadLetters } from './dead-letters.ts';
import { consumeGatewayCommands } from './gateway-commands.ts';
import { consumeNotifications } from './notifications.ts';
import { consumePaymentEvents } from './payment-events.ts';
import { consumeWalletCommands } from './wallet-commands.ts';

const CONSUMERS: Readonly<Record<string, (batch: MessageBatch, env: Env) => Promise<void>>> = {
  'wallet-commands': consumeWalletCommands,
  'gateway-commands': consumeGatewayCommands,
  notifications: consumeNotifications,
  'payment-events': consumePaymentEvents,
  'wallet-commands-dlq': consumeDeadLetters,
  'gateway-commands-dlq': consumeDeadLetters,
  'notifications-dlq': consumeDeadLetters,
  'payment-events-dlq': consumeDeadLetters,
  'dead-letters': consumeDeadLetters,
};

/** @throws InvariantError for a queue with no consumer: its messages are then retried, and never lost silently. */
export async function consumeBatch(batch: MessageBatch, env: Env): Promise<void> {
  const queue = queueNameOf(batch.queue);
  const consumer = CONSUMERS[queue];
  if (consumer === undefined) throw new InvariantError('queue_has_consumer', { queue });
  await consumer(queue === batch.queue ? batch : named(batch, queue), env);
}

/** The batch under the name that consumers know. Its own members are getters and methods of the runtime: a spread has none. */
function named(batch: MessageBatch, queue: string): MessageBatch {
  return {
    queue,
    messages: batch.messages,
    metadata: batch.metadata,
    ackAll: () => batch.ackAll(),
    retryAll: (options) => batch.retryAll(options),
  };
}
