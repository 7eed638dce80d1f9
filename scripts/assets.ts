/**
 * Fills dist/assets, the directory that wrangler.toml serves as static assets: the two files of Swagger UI that GET /docs
 * needs, and the operations console. Run by wrangler before it builds ([build] in wrangler.toml) and by vitest.config.ts;
 * what is there and fresh is left alone, so that a running `wrangler dev` does not reload for nothing, and a start takes
 * milliseconds.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { buildConsole } from './console-build.ts';

const FILES = ['swagger-ui-bundle.js', 'swagger-ui.css'];
const source = new URL('../node_modules/swagger-ui-dist/', import.meta.url);
const target = new URL('../dist/assets/', import.meta.url);

mkdirSync(target, { recursive: true });
for (const file of FILES) {
  const from = new URL(file, source);
  const to = new URL(file, target);
  if (existsSync(to) && readFileSync(to).equals(readFileSync(from))) continue;
  copyFileSync(from, to);
}
buildConsole();
