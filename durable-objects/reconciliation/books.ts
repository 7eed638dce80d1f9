/**
 * The first phase: a page of one provider's books a step, until all are read. Books that do not answer are tried a few times
 * and then are not available, which the report says; what is missing from them is never a difference. Called by the object.
 */
import { readConfig } from '../../src/config.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { RECONCILIATION_BOOKS_ATTEMPTS_MAX, RECONCILIATION_SLACK_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { StatementLine } from '../../src/domain/reconciliation/books.ts';
import {
  advanced,
  type BooksRead,
  type ReconciliationPlan,
  type ReconciliationProgress,
} from '../../src/domain/reconciliation/plan.ts';
import type { NoAnswer, Provider } from '../../src/gateway/provider.ts';
import { type Providers, providersOf } from '../../src/gateway/registry.ts';
import type { Run } from './store.ts';

/** Before a page of books is asked for again; twice as long each time. */
const BOOKS_WAIT_FIRST_MS = SECOND_MS;

export interface BooksStep {
  readonly progress: ReconciliationProgress;
  readonly lines: readonly StatementLine[];
  /** How long to leave the provider alone. */
  readonly waitMs: number;
}

/** @throws InvariantError where the deployment is misconfigured, or is of another mode than the reconciliation. */
export function providersFor(env: Env, { mode }: ReconciliationPlan): Providers {
  const result = readConfig(env);
  if (!result.ok || result.config.mode !== mode) throw new InvariantError('mode_configured', { mode });
  return providersOf(env, result.config);
}

export async function readBooksPage(env: Env, { plan, progress }: Run): Promise<BooksStep> {
  const providers = providersFor(env, plan);
  const wanted = plan.provider === null ? [...providers.keys()] : [plan.provider];
  const name = wanted[isBeingRead(progress) ? progress.books.length - 1 : progress.books.length];
  if (name === undefined) return { progress: advanced(progress, null), lines: [], waitMs: 0 };
  const provider = providers.get(name);
  if (provider === undefined || provider.capabilities.statement === 'none') {
    const reason = provider === undefined ? 'provider_not_configured' : 'no_statement';
    return ended(progress, { provider: name, coverage: 'none', reason, lines: 0 });
  }
  const { fromMs, toMs } = plan.window;
  const answer = await provider.statement({
    fromMs: fromMs - RECONCILIATION_SLACK_MS,
    toMs: toMs + RECONCILIATION_SLACK_MS,
    cursor: progress.cursor,
  });
  if (answer.kind !== 'page') return unanswered(progress, name, answer);
  const read = readSoFar(progress, provider, answer.lines.length);
  if (answer.next === null) return { ...ended(progress, read), lines: answer.lines };
  const books = [...progress.books.filter(({ provider: other }) => other !== name), read];
  return { progress: { ...advanced(progress, answer.next), books }, lines: answer.lines, waitMs: 0 };
}

/** The last of the books is open for as long as there is a page to come. */
function isBeingRead({ cursor }: ReconciliationProgress): boolean {
  return cursor !== null;
}

function readSoFar(progress: ReconciliationProgress, provider: Provider, lines: number): BooksRead {
  const before = isBeingRead(progress) ? (progress.books.at(-1)?.lines ?? 0) : 0;
  const coverage = provider.capabilities.statement;
  return { provider: provider.name, coverage, reason: null, lines: before + lines };
}

/** The next step begins the next provider's books. */
function ended(progress: ReconciliationProgress, read: BooksRead): BooksStep {
  const books = [...progress.books.filter(({ provider }) => provider !== read.provider), read];
  const { steps } = progress;
  return { progress: { ...progress, books, cursor: null, steps: steps + 1, attempts: 0 }, lines: [], waitMs: 0 };
}

/** What was read before stays, and can still show money that we do not know of; that nothing is missing cannot be said. */
function unanswered(progress: ReconciliationProgress, provider: string, answer: NoAnswer): BooksStep {
  const attempts = progress.attempts + 1;
  const reason = answer.kind === 'throttled' ? 'throttled' : answer.reason;
  if (answer.kind === 'misconfigured' || attempts >= RECONCILIATION_BOOKS_ATTEMPTS_MAX) {
    const lines = isBeingRead(progress) ? (progress.books.at(-1)?.lines ?? 0) : 0;
    return ended(progress, { provider, coverage: 'none', reason, lines });
  }
  const waitMs = answer.kind === 'throttled' ? answer.retryAfterMs : BOOKS_WAIT_FIRST_MS * 2 ** (attempts - 1);
  return { progress: { ...progress, attempts }, lines: [], waitMs };
}
