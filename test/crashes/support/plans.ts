/**
 * Which saga crashes where: a plan per saga, found by the id of any object that works for it, so that hundreds of sagas
 * crash at different points at the same time. A point is crashed at once: at the first pass that its plan still lists.
 * Filled by the tests, asked by the crashing objects and consumers beside this file.
 */
export interface Plan {
  /** Points still to crash at; the same point twice is two crashes. */
  readonly left: string[];
  /** Every point that was passed, crashed at or not, in order. */
  readonly passed: string[];
  /** Whether every point is to be passed, so that `passed` is whole: consumers then take its messages one by one. */
  readonly traced: boolean;
  /** Faults that are planted into this saga's objects and consumers: what the comparison must catch. */
  readonly plants: ReadonlySet<Plant>;
}

/**
 * `no_alarm`: the saga's alarms do nothing. `unstored`: a payment is promised before it is stored, and is not. The others
 * give a redelivered command an identity of its own: at the wallet, at the provider.
 */
export type Plant = 'no_alarm' | 'unstored' | 'fresh_effect_ids' | 'fresh_provider_keys';

export function planFor(
  points: readonly string[],
  options: { traced?: boolean; plants?: readonly Plant[] } = {},
): Plan {
  return { left: [...points], passed: [], traced: options.traced ?? false, plants: new Set(options.plants) };
}

// On the global object: tests and the worker under test share the isolate, not always the module instance.
const holder = globalThis as typeof globalThis & { holdfastPlans?: Map<string, Plan> };
holder.holdfastPlans ??= new Map();
const plans = holder.holdfastPlans;

/** From now on what works under any of these ids (of a payment, a refund, or a wallet's object name) follows the plan. */
export function follow(plan: Plan, ids: readonly string[]): void {
  for (const id of ids) plans.set(id, plan);
}

export function planOf(id: string | null): Plan | undefined {
  return id === null ? undefined : plans.get(id);
}

export function isPlanted(id: string | null, plant: Plant): boolean {
  return planOf(id)?.plants.has(plant) ?? false;
}

/** Passes a point: whether the crash is now. */
export function crashesAt(id: string | null, point: string): boolean {
  const plan = planOf(id);
  if (plan === undefined) return false;
  plan.passed.push(point);
  const index = plan.left.indexOf(point);
  if (index < 0) return false;
  plan.left.splice(index, 1);
  return true;
}

/** Whether a point of this prefix is to be watched. */
export function watches(id: string | null, prefix: string): boolean {
  const plan = planOf(id);
  return plan !== undefined && (plan.traced || plan.left.some((point) => point.startsWith(prefix)));
}

/** What a message is called in the names of points: its event type, or which run of which log a publication ends with. */
export function messageName(body: unknown): string {
  if (typeof body !== 'object' || body === null) return 'other';
  if ('event_type' in body) return String(body.event_type);
  if (!('runs' in body)) return 'other';
  const { runs } = body as {
    readonly runs: readonly { readonly events: readonly { readonly event_type: string }[] }[];
  };
  const types = runs.flatMap(({ events }) => events.map((event) => event.event_type));
  return `record ${types.findLast((type) => CLOSING.has(type)) ?? types.at(-1)}`;
}

const CLOSING: ReadonlySet<string> = new Set([
  'payment.created',
  'payment.completed',
  'payment.failed',
  'payment.refund_reserved',
  'payment.refund_settled',
  'payment.refunded',
  'refund.created',
  'refund.completed',
  'refund.failed',
]);

/** The payment or refund that a message is about; null for what is of neither. */
export function entityOfMessage(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  const groupId =
    'group_id' in body
      ? body.group_id
      : (body as { metadata?: { message_group_id?: unknown } }).metadata?.message_group_id;
  return typeof groupId === 'string' ? groupId.slice(groupId.indexOf('_') + 1) : null;
}
