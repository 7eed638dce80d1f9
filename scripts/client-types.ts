/**
 * Writes client/src/generated.ts, the types and operations of the client, from docs/openapi.json (so scripts/openapi.ts runs
 * first); with `--check`, only says whether it is fresh. Decision 0074.
 */
import { readFileSync } from 'node:fs';
import { clientTypes, type OpenApi } from './client/types-text.ts';
import { keepFresh } from './keep-fresh.ts';

const openapi = JSON.parse(readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8')) as OpenApi;

keepFresh('client/src/generated.ts', clientTypes(openapi));
