/**
 * Message losses on demand: what a crash of the runtime does to what is in flight. The test's entry
 * (`worker.ts`) asks about every delivered message; one that is lost is acknowledged without being looked at.
 */
export interface Delivery {
  readonly queue: string;
  readonly body: unknown;
}

type Loses = (delivery: Delivery) => boolean;

// On the global object: tests and the worker under test share the isolate, not always the module instance.
const holder = globalThis as typeof globalThis & { holdfastLoses?: Loses };

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

export function isLost(delivery: Delivery): boolean {
  return holder.holdfastLoses?.(delivery) ?? false;
}

/** The event type of a command message, or the queue's name for what is not an event. */
export function kindOf({ queue, body }: Delivery): string {
  const type = typeof body === 'object' && body !== null && 'event_type' in body ? body.event_type : undefined;
  return typeof type === 'string' ? type : queue;
}
