/**
 * Pure: small changes to a JSON value that was valid: a member dropped, added, replaced or wrapped. Drawn by fast-check, and
 * applied once every reference in the value is resolved. Called by requests.ts.
 */
import fc from 'fast-check';
import { isRecord } from './memory.ts';
import { nastyText, wildValue } from './values.ts';

/** One change to a JSON value: at the `at`-th of its members, however deep. */
export interface Mutation {
  readonly kind: 'drop' | 'replace' | 'add' | 'wrap' | 'text';
  readonly at: number;
  readonly name: string;
  readonly value: unknown;
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('drop', 'replace', 'replace', 'add', 'wrap', 'text'),
  at: fc.nat(64),
  name: fc.oneof(fc.constantFrom('id', 'AMOUNT', 'amount ', 'status', 'x'.repeat(300)), nastyText),
  value: wildValue,
});

export function mutated(value: unknown, change: Mutation): unknown {
  let countdown = change.at % Math.max(1, countOf(value));
  const walk = (current: unknown): unknown => {
    if (countdown-- === 0 && current !== value) return changed(current, change);
    if (Array.isArray(current)) return current.map(walk).filter((item) => item !== undefined);
    if (!isRecord(current)) return current;
    const members = Object.entries(current).map(([name, member]): [string, unknown] => [name, walk(member)]);
    if (change.kind === 'add' && current === value) members.push([change.name, change.value]);
    return Object.fromEntries(members.filter(([, member]) => member !== undefined));
  };
  return change.kind === 'wrap' && change.at % 8 === 0 ? [value] : walk(value);
}

function changed(value: unknown, change: Mutation): unknown {
  switch (change.kind) {
    case 'drop':
      return undefined;
    case 'replace':
      return change.value;
    case 'wrap':
      return [value];
    case 'text':
      return typeof value === 'string' ? value + change.name : String(value);
    case 'add':
      return value;
  }
}

function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce<number>((sum, member) => sum + countOf(member), 0);
}
