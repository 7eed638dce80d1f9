/**
 * Flips for P9: one change of one stored cell, as a fault of the storage or a person with SQL would leave it, drawn from a
 * seed; and which cells there are. A flip that the storage refuses, or that leaves the meaning as it was (the same JSON,
 * written otherwise), is no flip: another is drawn.
 */
import { canonicalJson } from '../../src/domain/canonical.ts';

export type Value = string | number | null;

/** One cell: a column of one row of one table. `key`: the columns that name the row. */
export interface Cell {
  readonly table: string;
  readonly column: string;
  readonly key: Readonly<Record<string, Value>>;
  readonly value: Value;
}

export type Random = () => number;

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** Another value for a cell, or null to draw again. */
export function flipped(random: Random, value: Value): { readonly value: Value } | null {
  const changed = typeof value === 'string' ? flippedText(random, value) : flippedNumber(random, value);
  return changed === value || isSameMeaning(value, changed) ? null : { value: changed };
}

function flippedText(random: Random, text: string): Value {
  const at = Math.floor(random() * text.length);
  const letter = String.fromCharCode(33 + Math.floor(random() * 94));
  const code = text.charCodeAt(at) ^ (1 << Math.floor(random() * 7));
  return pick<() => Value>(random, [
    () => text.slice(0, at) + letter + text.slice(at + 1),
    () => text.slice(0, at) + letter + text.slice(at + 1),
    () => text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1),
    () => text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text + letter,
    () => null,
  ])();
}

function flippedNumber(random: Random, value: number | null): Value {
  if (value === null) return pick<Value>(random, [0, 1, 'x']);
  const bit = 2 ** Math.floor(random() * 40);
  const hasBit = Math.floor(Math.abs(value) / bit) % 2 === 1;
  return pick<Value>(random, [value + 1, value - 1, -value, value * 2 + 1, hasBit ? value - bit : value + bit, null]);
}

/** JSON that says the same is the same. */
function isSameMeaning(before: Value, after: Value): boolean {
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  try {
    return canonicalJson(JSON.parse(before)) === canonicalJson(JSON.parse(after));
  } catch {
    // One of them is no JSON, and then they are not the same JSON.
    return false;
  }
}

/** `UPDATE` of a cell, from the key that its row has now. */
export function updateOf(cell: Cell, to: Value, key = cell.key): { readonly sql: string; readonly values: Value[] } {
  const names = Object.keys(key);
  const sql = `UPDATE ${cell.table} SET ${cell.column} = ? WHERE ${names.map((name) => `${name} IS ?`).join(' AND ')}`;
  return { sql, values: [to, ...names.map((name) => key[name] ?? null)] };
}

/** The key of the cell's row after the cell was flipped. */
export function keyAfter(cell: Cell, to: Value): Cell['key'] {
  return cell.column in cell.key ? { ...cell.key, [cell.column]: to } : cell.key;
}

/** All cells of rows, each row named by the columns `key`, but for the columns `without`. */
export function cellsOf(
  table: string,
  rows: readonly Readonly<Record<string, unknown>>[],
  key: readonly string[],
  without: readonly string[] = [],
): Cell[] {
  return rows.flatMap((row) => {
    const named = Object.fromEntries(key.map((name) => [name, row[name] as Value]));
    return Object.entries(row)
      .filter(([column]) => !without.includes(column))
      .map(([column, value]) => ({ table, column, key: named, value: value as Value }));
  });
}
