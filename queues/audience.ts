/**
 * Who is to be told what a notify command tells: the merchant's webhook endpoints that ask for its type, and the email channel
 * where one is configured. Read when it is to be told, so that an endpoint has all that follows its creation. Used by the consumers of
 * `notifications` and, to know whether there is anybody, of `payment-events`.
 */
import { readConfig } from '../src/config.ts';
import type { Spent } from '../src/domain/cost/spent.ts';
import type { Event } from '../src/domain/events/decode.ts';
import { type Envelope, groupIdOf } from '../src/domain/events/envelope.ts';
import { type NotifyType, WEBHOOK_EVENT_OF } from '../src/domain/webhook.ts';
import { type DirectoryEntry, directoryOf } from '../src/read-model/webhook-endpoints.ts';

export type NotifyMessage = Extract<Event, { event_type: NotifyType }>;

export interface Audience {
  readonly endpoints: readonly DirectoryEntry[];
  /** Nobody is to be told: no endpoint, and no mail. */
  readonly isEmpty: boolean;
}

export function isNotifyType(type: string): type is NotifyType {
  return Object.hasOwn(WEBHOOK_EVENT_OF, type);
}

/** One audience per command, in the same order, by one query whatever their number. @throws what D1 throws. */
export async function audiencesOf(
  env: Env,
  commands: readonly (Pick<Envelope, 'metadata'> & { readonly event_type: NotifyType })[],
): Promise<{ readonly audiences: readonly Audience[]; readonly spent: Spent }> {
  const { entries, spent } = await directoryOf(
    env.DB,
    commands.map(({ metadata }) => ({ merchant: metadata.merchant, mode: metadata.mode })),
  );
  const result = readConfig(env);
  const isMailed = result.ok && result.config.email !== undefined;
  const audiences = commands.map(({ event_type: type, metadata }) => {
    const endpoints = entries.filter(
      ({ id, scope, events }) =>
        scope.merchant === metadata.merchant &&
        scope.mode === metadata.mode &&
        // Of its own disabling an endpoint tells the others: it may be enabled again by the time that this is told.
        groupIdOf(id) !== metadata.message_group_id &&
        (events === null || events.includes(WEBHOOK_EVENT_OF[type])),
    );
    return { endpoints, isEmpty: endpoints.length === 0 && !isMailed };
  });
  return { audiences, spent };
}
