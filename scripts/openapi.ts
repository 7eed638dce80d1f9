/**
 * Writes docs/openapi.json from the routes; with `--check`, only says whether it is fresh (exit code 1 when it is not).
 */
import { app } from '../src/http/app.ts';
import { openapiText } from '../src/http/routes/openapi-get.ts';
import { keepFresh } from './keep-fresh.ts';

keepFresh('docs/openapi.json', openapiText(app));
