/** Reconciliations as an operator's client sees them: begun, waited for with a bound, and read to the last finding. */
import { expect } from 'vitest';
import { call, json, until } from './payments.ts';

export interface FindingView {
  class: string;
  payment_id: string | null;
  subject: string;
  provider: string | null;
  expected: { state: string; amount: number | null; currency: string | null } | null;
  found: { state: string; amount: number | null; currency: string | null } | null;
  money_in_doubt: number;
  currency: string;
  confirmed: boolean;
}

export interface ReportView {
  id: string;
  status: 'running' | 'finished' | 'failed';
  trigger: string;
  complete: boolean;
  books: { provider: string; coverage: string; reason: string | null; lines: number }[];
  payments: { compared: number; in_flight: number; incomplete: number; needs_attention: number };
  differences: number;
  differences_left_out: number;
  by_class: Record<string, number>;
  money_in_doubt: { currency: string; differences: number; amount: number }[];
  failure: string | null;
}

type Page = ReportView & { findings: { data: FindingView[]; next_cursor: string | null } };

/** Begins one and waits for its end. */
export async function reconciled(body: Record<string, unknown> = {}): Promise<ReportView> {
  const response = await call('/ops/reconcile', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ actor: 'jane', reason: 'test', ...body }),
  });
  expect(response.status).toBe(202);
  const location = response.headers.get('location') ?? '';
  return await ended(location.slice('/ops/reconciliations/'.length));
}

export async function ended(id: string): Promise<ReportView> {
  return await until(
    () => json<ReportView>(`/ops/reconciliations/${id}`),
    ({ status }) => status !== 'running',
    90_000,
  );
}

/** All that it found, page by page. */
export async function findings({ id }: ReportView, limit = 100): Promise<FindingView[]> {
  const all: FindingView[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: Page = await json<Page>(`/ops/reconciliations/${id}?limit=${limit}${query}`);
    all.push(...page.findings.data);
    cursor = page.findings.next_cursor;
  }
  return all;
}

/** Until what was done up to now is at rest, and in the record. */
export async function atRest(updatedAt: string, restMs: number): Promise<void> {
  const restsAtMs = Date.parse(updatedAt) + restMs;
  await until(
    async () => Date.now(),
    (nowMs) => nowMs > restsAtMs,
    restMs + 5_000,
  );
}
