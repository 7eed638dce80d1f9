/**
 * Fills dist/assets, the directory that wrangler.toml serves as static assets: the two files of Swagger UI that GET /docs
 * needs. Run by wrangler before it builds ([build] in wrangler.toml) and by vitest.config.ts; a file that is already
 * there is left alone, so that a running `wrangler dev` does not reload for nothing.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';

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
