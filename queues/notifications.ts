/**
 * Consumer of `notifications`: takes over, durably and once, what is to be told, hands it to the merchant's webhook
 * endpoints, and tells who asked that it is taken over. One call per endpoint and batch; it never waits for a delivery:
 * an endpoint's own object makes those.
 */
import { readConfig } from '../src/config.ts';
import { apportioned, type Spent, sumOfSpent } from '../src/domain/cost/spent.ts';
import { OBJECT_CALL } from '../src/domain/cost/work.ts';
import { CATALOGUE } from '../src/domain/events/catalogue.ts';
import { deliveryKey, type NotifyType, WEBHOOK_EVENT_OF, webhookBody } from '../src/domain/webhook.ts';
import type { Notification } from '../src/domain/webhook-delivery.ts';
import { type Mail, sendMails } from '../src/notify/email.ts';
import { recordNotifications } from '../src/read-model/record-notifications.ts';
import type { DirectoryEntry } from '../src/read-model/webhook-endpoints.ts';
import { webhookEndpointStub } from '../src/stubs.ts';
import { routineLine } from '../src/telemetry/log.ts';
import { type Audience, audiencesOf, type NotifyMessage } from './audience.ts';
import { type Consumed, consume } from './consume.ts';
import { commandDecoder } from './decode-command.ts';
import { notifiedEntity } from './notified-entity.ts';
import { ACK, type Verdict, verdictOnError } from './retry-policy.ts';

// Every notify command of the catalogue; its keys are its types, which `Object.keys` forgets.
const TYPES = Object.keys(CATALOGUE).filter((type) => type.startsWith('orchestrator.notify.')) as NotifyType[];

export async function consumeNotifications(batch: MessageBatch, env: Env): Promise<void> {
  await consume<NotifyMessage>(batch, env, {
    decode: commandDecoder(TYPES),
    groupKey: () => 'notifications',
    traceparentOf: (event) => event.metadata.traceparent,
    handle: (items) => takeOver(env, items),
  });
}

type Item = Consumed<NotifyMessage>;
const NOBODY: Audience = { endpoints: [], isEmpty: true };

/** Checks, in order: anybody to tell → stored → read what it tells of → handed to every endpoint that asks for it → its sender told. */
async function takeOver(env: Env, items: readonly Item[]): Promise<readonly Verdict[]> {
  const found = await audiencesOf(
    env,
    items.map(({ body }) => body),
  );
  const audiences = new Map(items.map((item, index) => [item, found.audiences[index] ?? NOBODY]));
  const events = items.filter((item) => audiences.get(item)?.isEmpty === false).map(({ body }) => body);
  const { fresh, timestamps, spent } = await recordNotifications(env.DB, events, Date.now());
  const told = await Promise.all(
    [...audiences].map(([item, { endpoints }]) => toTell(env, item, timestamps, endpoints)),
  );
  const failures = await fanOut(env, told);
  const shares = apportioned(sumOfSpent(found.spent, spent), items.length);
  const verdicts = await Promise.all(told.map((each, index) => settle(env, each, failures, shares[index])));
  await mail(env, events, fresh);
  return verdicts;
}

/** What one message brings, and to which endpoints. */
interface Told {
  readonly item: Item;
  readonly notification: Notification | null;
  readonly endpoints: readonly DirectoryEntry[];
  /** What reading the entity threw. */
  readonly error: unknown;
}

async function toTell(
  env: Env,
  item: Item,
  timestamps: ReadonlyMap<string, string>,
  endpoints: readonly DirectoryEntry[],
): Promise<Told> {
  const { event_type: type, timestamp: sentAt, metadata } = item.body;
  const eventType = WEBHOOK_EVENT_OF[type];
  const nothing = { item, notification: null, endpoints: [], error: null };
  if (endpoints.length === 0) return nothing;
  try {
    const data = await notifiedEntity(env, item.body).read();
    // Past its retention: nobody can be told of it any more.
    if (data === null) return nothing;
    const effectId = metadata.message_deduplication_id;
    const timestamp = timestamps.get(effectId) ?? sentAt;
    const key = deliveryKey(effectId, Date.parse(timestamp));
    const { traceparent } = metadata;
    const notification = { key, eventType, body: webhookBody(eventType, timestamp, data), traceparent };
    return { item, notification, endpoints, error: null };
  } catch (error) {
    return { ...nothing, error };
  }
}

/** One call per endpoint, with all that the batch has for it; answers what each failed call threw, by endpoint. */
async function fanOut(env: Env, told: readonly Told[]): Promise<ReadonlyMap<string, unknown>> {
  const batches = new Map<string, { readonly entry: DirectoryEntry; readonly notifications: Notification[] }>();
  for (const { notification, endpoints } of told) {
    for (const entry of notification === null ? [] : endpoints) {
      const batch = batches.get(entry.id) ?? { entry, notifications: [] };
      batches.set(entry.id, batch);
      if (notification !== null) batch.notifications.push(notification);
    }
  }
  const failures = new Map<string, unknown>();
  await Promise.all(
    [...batches.values()].map(async ({ entry, notifications }) => {
      try {
        // One that is disabled, or was deleted a moment ago, takes nothing: that is an answer too.
        await webhookEndpointStub(env, entry.scope, entry.id)?.accept(notifications);
      } catch (error) {
        failures.set(entry.id, error);
      }
    }),
  );
  return failures;
}

/** Acknowledged when every endpoint has it and its sender knows. Tried again, it is taken over once all the same. */
async function settle(
  env: Env,
  told: Told,
  failures: ReadonlyMap<string, unknown>,
  recording: Spent | undefined,
): Promise<Verdict> {
  const { body, message } = told.item;
  const failed = told.endpoints.find(({ id }) => failures.has(id));
  const error = failed === undefined ? told.error : failures.get(failed.id);
  if (error !== null) return verdictOnError(error, message.attempts, Math.random());
  const entity = notifiedEntity(env, body);
  try {
    // To be read, to be acknowledged, and one call for each endpoint that was told.
    const calls = Array.from(
      { length: told.endpoints.length === 0 ? 1 : 2 + told.endpoints.length },
      () => OBJECT_CALL,
    );
    const spent = sumOfSpent(told.item.spent, recording, ...calls);
    await entity.acknowledge(body.metadata.message_deduplication_id, spent);
  } catch (thrown) {
    return verdictOnError(thrown, message.attempts, Math.random());
  }
  const { length: count } = told.endpoints;
  const fields = { event_type: body.event_type, entity_id: entity.id, count };
  routineLine('notification.taken_over', fields, body.metadata.traceparent);
  return ACK;
}

/** Mails what is new, each once, where that is configured. */
async function mail(env: Env, events: readonly NotifyMessage[], fresh: ReadonlySet<string>): Promise<void> {
  const result = readConfig(env);
  if (!result.ok || result.config.email === undefined) return;
  const byEffect = new Map(events.map((event) => [event.metadata.message_deduplication_id, event]));
  const mails = [...byEffect].flatMap(([effectId, event]): Mail[] => {
    if (!fresh.has(effectId)) return [];
    const text = JSON.stringify({ timestamp: event.timestamp, ...event.payload }, null, 2);
    return [{ subject: `${WEBHOOK_EVENT_OF[event.event_type]} ${notifiedEntity(env, event).id}`, text }];
  });
  await sendMails(env, result.config, mails);
}
