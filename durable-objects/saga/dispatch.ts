/**
 * Hands what a commit produced to the queues. Called after the commit: output gates hold the sends until it is durable.
 * Never awaited before an answer and never retried here: what is not known to have arrived is sent again by the alarm.
 */

import type { Publication } from '../../src/domain/messages.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import type { SagaCost } from './cost.ts';

/** The queue of a command, by the service in its type: `orchestrator.{service}.{action}`. */
function queueOf(env: Env, eventType: string): Queue {
  const service = eventType.split('.')[1];
  switch (service) {
    case 'wallet':
      return env.WALLET_COMMANDS;
    case 'gateway':
      return env.GATEWAY_COMMANDS;
    default:
      return env.NOTIFICATIONS;
  }
}

/**
 * Sends each command. What only the gateway may know is added to its messages here and is not in the stored event: the
 * payment token, and that an earlier sending has had no answer.
 */
export async function sendCommands(
  env: Env,
  cost: SagaCost,
  commands: readonly PendingCommand[],
  token?: string,
): Promise<void> {
  await Promise.all(
    commands.map(async ({ event, allHeard }) => {
      if (event === null) return;
      const queue = queueOf(env, event.event_type);
      const forGateway = { ...(token !== undefined && { token }), ...(!allHeard && { unheard: true }) };
      const payload = queue === env.GATEWAY_COMMANDS ? { ...event.payload, ...forGateway } : event.payload;
      const message = { ...event, payload };
      cost.sent(message);
      await guarded(() => queue.send(message), event.event_type, event.metadata.message_group_id);
    }),
  );
}

export async function sendPublication(env: Env, cost: SagaCost, publication: Publication): Promise<void> {
  cost.sent(publication);
  await guarded(() => env.PAYMENT_EVENTS.send(publication), 'publication', publication.group_id);
}

/** A send that fails may still have been enqueued: either way the alarm sends it again, and consumers take it twice. */
async function guarded(send: () => Promise<unknown>, messageType: string, groupId: string): Promise<void> {
  try {
    await send();
  } catch (error) {
    logLine('queue.send_failed', { message_type: messageType, group_id: groupId, error: errorText(error) });
  }
}
