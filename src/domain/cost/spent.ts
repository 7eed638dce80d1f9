/**
 * Pure: what work has spent of the platform, as whole numbers of what the platform bills: the vector that consumers report with an
 * outcome and a saga adds up (decision 0064). Sparse: what is not there is 0. Shares of a batch add up to the batch, to the unit.
 */
import { z } from 'zod';

/** Everything that is billed by use and that this code can count where it spends it. */
export const RESOURCES = [
  /** Invocations of the Worker: an HTTP request, a batch of a queue's consumer. */
  'worker_requests',
  /** Calls of objects: RPC, and alarms. */
  'object_requests',
  /** Wall time of objects, each at 128 MB, in milliseconds. */
  'object_ms',
  /** Rows of objects' storage, deleted ones and alarms too. */
  'object_rows_written',
  'object_rows_read',
  'd1_rows_written',
  'd1_rows_read',
  /** Writes, reads and deletes of messages, each per 64 KB. */
  'queue_operations',
] as const;
export type Resource = (typeof RESOURCES)[number];

export type Spent = Readonly<Partial<Record<Resource, number>>>;

export const spentSchema = z.partialRecord(z.enum(RESOURCES), z.number().int().nonnegative());

/** The sum, in the order of the resources; one that is 0 is left out. */
export function sumOfSpent(...parts: readonly (Spent | undefined)[]): Spent {
  return vectorOf((resource) => parts.reduce((sum, part) => sum + (part?.[resource] ?? 0), 0));
}

/** What `after` has more than `before`, by resource; never less than 0. */
export function spentSince(before: Spent, after: Spent): Spent {
  return vectorOf((resource) => Math.max(0, (after[resource] ?? 0) - (before[resource] ?? 0)));
}

/** The larger of both, by resource. */
export function largerSpent(left: Spent, right: Spent): Spent {
  return vectorOf((resource) => Math.max(left[resource] ?? 0, right[resource] ?? 0));
}

/**
 * What `count` pieces of work did together, share by share: whole units, none lost and none made. What cannot be split evenly
 * goes to the first ones, one unit each.
 */
export function apportioned(spent: Spent, count: number): Spent[] {
  return Array.from({ length: count }, (_share, index) =>
    vectorOf((resource) => {
      const whole = spent[resource] ?? 0;
      return Math.floor(whole / count) + (index < whole % count ? 1 : 0);
    }),
  );
}

function vectorOf(of: (resource: Resource) => number): Spent {
  const entries = RESOURCES.map((resource) => [resource, of(resource)] as const);
  return Object.fromEntries(entries.filter(([, units]) => units !== 0));
}
