/**
 * Consumer of `gateway-commands`: each command is one call of the gateway, side by side within a batch, and what came of
 * it goes back to the saga as a fact. A timeout is an outcome (unknown), not an error: the message is acknowledged and
 * the saga looks it up. Only a failed report makes the message come again, and the provider's key makes that harmless.
 */

import { waitUntil } from 'cloudflare:workers';
import { readConfig } from '../src/config.ts';
import { sumOfSpent } from '../src/domain/cost/spent.ts';
import { InvariantError } from '../src/domain/errors.ts';
import type { Event } from '../src/domain/events/decode.ts';
import { type GatewayBatch, openGatewayBatch } from '../src/gateway/gateway.ts';
import { sagaStub } from '../src/stubs.ts';
import { type Consumed, consume } from './consume.ts';
import { commandDecoder } from './decode-command.ts';
import { ACK, type Verdict } from './retry-policy.ts';
import { deliverOutcomes } from './sagas.ts';

const TYPES = [
  'orchestrator.gateway.authorize',
  'orchestrator.gateway.capture',
  'orchestrator.gateway.unauthorize',
  'orchestrator.gateway.refund',
  'orchestrator.gateway.lookup',
] as const;
type GatewayMessage = Extract<Event, { event_type: (typeof TYPES)[number] }>;

export async function consumeGatewayCommands(batch: MessageBatch, env: Env): Promise<void> {
  const result = readConfig(env);
  // Not the messages' fault: they wait for a deployment that can take them.
  if (!result.ok) throw new InvariantError('configured', { problems: result.problems.join(' ') });
  const { config } = result;
  const gateway = openGatewayBatch(env, config);
  await consume<GatewayMessage>(batch, env, {
    decode: commandDecoder(TYPES),
    groupKey: (event) => event.metadata.message_deduplication_id,
    traceparentOf: (event) => event.metadata.traceparent,
    handle: (items) => callGateway(env, gateway, config.mode, items),
  });
  // The breakers' report holds up nothing, least of all the next batch.
  waitUntil(gateway.close());
}

/** The items of a group are deliveries of one effect: one call, one report, for all of them. */
async function callGateway(
  env: Env,
  gateway: GatewayBatch,
  mode: string,
  items: readonly Consumed<GatewayMessage>[],
): Promise<readonly Verdict[]> {
  const [first] = items;
  if (first === undefined) return [];
  const { metadata, payload } = first.body;
  if (metadata.mode !== mode) throw new InvariantError('mode_configured', { mode: metadata.mode });
  // A call may have begun for this effect without our hearing of it: then "not sent" proves nothing of that one.
  const mayHaveBegun = items.length > 1 || first.message.attempts > 1 || payload.unheard === true;
  const entityId = payload.refund_id ?? payload.payment_id;
  if (mayHaveBegun && !(await isAwaited(env, entityId, metadata.message_deduplication_id))) return items.map(() => ACK);
  const delivery = { mayHaveBegun, ...(first.span && { span: first.span }) };
  const outcome = await gateway.run(first.body, Date.now, delivery);
  const spent = sumOfSpent(...items.map((item) => item.spent), gateway.takeSpent());
  const verdict = await deliverOutcomes(env, entityId, [{ ...outcome, spent }]);
  return items.map(() => verdict);
}

/**
 * A delivery that may not be the first asks before it calls: a saga that has heard the outcome may have gone to another
 * provider since, or have ended, and a call that begins now would charge behind its back.
 */
async function isAwaited(env: Env, entityId: string, effectId: string): Promise<boolean> {
  return (await sagaStub(env, entityId)?.awaits(effectId)) ?? true;
}
