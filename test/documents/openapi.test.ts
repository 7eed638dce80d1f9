/** What the committed OpenAPI document says to those who browse it. That it is the application's: test/http/openapi.test.ts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Document {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly tags: readonly string[] }>>>>;
}

test('every tag that an operation has is declared, with a description, and no other', () => {
  const { tags, paths } = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as Document;
  const used = Object.values(paths).flatMap((methods) => Object.values(methods).flatMap((operation) => operation.tags));
  expect(tags.map(({ name }) => name).sort()).toEqual([...new Set(used)].sort());
  for (const { description } of tags) expect(description).not.toBe('');
});
