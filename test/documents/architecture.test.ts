/** The tables of docs/architecture.md that say what there is, against what is configured and migrated. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';

const page = readFileSync('docs/architecture.md', 'utf8');

/** The names in the first column of the table under a heading. */
function namesUnder(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const cells = section.split('\n').flatMap((line) => /^\| (`[^|]+) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => String(name)));
}

/** Every binding of the configuration, whatever its kind: each has a `binding`, or a `name` that is no class or queue. */
function bindingsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Object.entries(value).flatMap(([member, name]) =>
    (member === 'binding' || member === 'name') && /^[A-Z_]+$/.test(String(name)) ? [String(name)] : [],
  );
  return [...own, ...Object.values(value).flatMap(bindingsOf)];
}

test('the table of bindings has each that wrangler.toml has, and no other', () => {
  const bindings = bindingsOf(parse(readFileSync('wrangler.toml', 'utf8')));
  expect(bindings.length).toBeGreaterThan(10);
  expect(namesUnder('Bindings').sort()).toEqual([...new Set(bindings)].sort());
});

test('the record is told of with every table that the migrations leave', () => {
  const sql = readdirSync('migrations')
    .sort()
    .map((file) => readFileSync(`migrations/${file}`, 'utf8'))
    .join('\n');
  const tables = new Set<string>();
  for (const [, made, dropped] of sql.matchAll(
    /CREATE TABLE (?:IF NOT EXISTS )?(\w+)|DROP TABLE (?:IF EXISTS )?(\w+)/g,
  )) {
    if (made !== undefined) tables.add(made);
    if (dropped !== undefined) tables.delete(dropped);
  }
  const record = page.split(/^## /m).find((text) => text.startsWith('The record\n')) ?? '';
  for (const table of tables) expect(record).toContain(`\`${table}\``);
  for (const table of namesUnder('The record').filter((name) => name !== 'runs')) expect([...tables]).toContain(table);
});
