/**
 * Writes every document that is made from the domain's tables; with `--check`, only says which are stale, and fails if
 * any is. Part of `npm run docs` and `npm run docs:check`. One import per document.
 */
import './docs-errors.ts';
import './docs-events.ts';
import './docs-saga.ts';
