import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = 'src/domain';
const MODULES = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).flatMap(
  (name) => /^(.*)\.ts$/.exec(name)?.[1] ?? [],
);

test.each(MODULES)('%s loads by itself: it needs no other to be loaded first', async (name) => {
  expect(await import(/* @vite-ignore */ `../../${FOLDER}/${name}.ts`)).toBeDefined();
});
