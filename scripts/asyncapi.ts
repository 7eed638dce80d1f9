/**
 * Writes docs/asyncapi.json from the event catalogue, the messages and docs/openapi.json, which says what public entities look
 * like (so scripts/openapi.ts runs first); with `--check`, only says whether it is fresh.
 */
import { readFileSync } from 'node:fs';
import { asyncapiDocument } from './asyncapi/document.ts';
import type { Schema } from './asyncapi/schemas.ts';
import { keepFresh } from './keep-fresh.ts';

const openapi = JSON.parse(readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8')) as {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

keepFresh('docs/asyncapi.json', `${JSON.stringify(asyncapiDocument(openapi.components.schemas), null, 2)}\n`);
