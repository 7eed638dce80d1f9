/**
 * Message losses on demand: what a crash of the runtime does to what is in flight. The test's entry
 * (`worker.ts`) asks about every delivered message; one that is lost is acknowledged without being looked at, and one that is
 * killed is never handled, so that the platform carries it to its dead-letter queue.
 */
export interface Delivery {
  /** Of the message: the same each time that it is delivered. */
  readonly id: string;
  readonly queue: string;
  readonly body: unknown;
}

type Loses = (delivery: Delivery) => boolean;

// On the global object: tests and the worker under test share the isolate, not always the module instance.
const holder = globalThis as typeof globalThis & { holdfastLoses?: Loses; holdfastKills?: Loses };

/** From now on `loses` decides; null: nothing is lost. */
export function loseMessages(loses: Loses | null): void {
  if (loses === null) delete holder.holdfastLoses;
  else holder.holdfastLoses = loses;
}

/** Loses the first `times` deliveries of every message kind (queue and event type) of one payment's group or of all. */
export function loseFirst(times: number, matches: (kind: string) => boolean): { lost: Map<string, number> } {
  const lost = new Map<string, number>();
  loseMessages((delivery) => {
    const kind = kindOf(delivery);
    const count = lost.get(kind) ?? 0;
    if (!matches(kind) || count >= times) return false;
    lost.set(kind, count + 1);
    return true;
  });
  return { lost };
}

/** Loses every message of that type; `isAllLost`: whether each that an entity's saga has sent has come and was lost. */
export function loseAll(type: string): { isAllLost: (entityId: string, sent: number) => boolean } {
  const lost: string[] = [];
  loseMessages((delivery) => {
    const isOne = kindOf(delivery) === type;
    if (isOne) lost.push((delivery.body as { metadata: { message_group_id: string } }).metadata.message_group_id);
    return isOne;
  });
  return { isAllLost: (entityId, sent) => lost.filter((group) => group.endsWith(entityId)).length >= sent };
}

export function isLost(delivery: Delivery): boolean {
  return holder.holdfastLoses?.(delivery) ?? false;
}

/** From now on `kills` says which deliveries fail: a message that fails each time spends its attempts and dies; null: none. */
export function killMessages(kills: Loses | null): void {
  if (kills === null) delete holder.holdfastKills;
  else holder.holdfastKills = kills;
}

/** Nothing stands behind a dead-letter queue: what is killed there would be lost. */
export function isKilled(delivery: Delivery): boolean {
  return !delivery.queue.endsWith('-dlq') && holder.holdfastKills?.(delivery) === true;
}

/** The event type of a command message, or the queue's name for what is not an event. */
export function kindOf({ queue, body }: Pick<Delivery, 'queue' | 'body'>): string {
  const type = typeof body === 'object' && body !== null && 'event_type' in body ? body.event_type : undefined;
  return typeof type === 'string' ? type : queue;
}
