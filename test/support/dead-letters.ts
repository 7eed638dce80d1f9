/** What tests do with dead letters as an operator would: list all of them, look into one, redrive; and count them (X3). */
import { env } from 'cloudflare:workers';
import { DEAD_LETTER_SERIES } from '../../src/domain/dead-letter.ts';
import { call, json } from './payments.ts';

export interface Letter {
  readonly id: string;
  readonly queue: string;
  readonly reason: string;
  readonly message_type: string | null;
  readonly entity_id: string | null;
  readonly effect_id: string | null;
  readonly status: 'present' | 'redriven' | 'discarded';
  readonly resolution: { readonly outcome: string | null } | null;
}

export interface LetterDetail extends Letter {
  readonly body: unknown;
  readonly owner: { readonly awaits: boolean | null; readonly state: string | null } | null;
}

export interface Redrive {
  readonly id: string;
  readonly result: string;
  readonly outcome: string | null;
  readonly owner_state: string | null;
}

interface List<Item> {
  readonly data: Item[];
  readonly next_cursor: string | null;
}

const WORD = { actor: 'tester', reason: 'a test' };
const REDRIVEN_AT_ONCE = 100;

/** All letters that fit, newest first, page by page. */
export async function letters(filters: Record<string, string> = {}): Promise<Letter[]> {
  const found: Letter[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = new URLSearchParams({ ...filters, limit: '100', ...(cursor !== '' && { cursor }) });
    const page: List<Letter> = await json(`/ops/dead-letters?${query}`);
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}

export async function letter(id: string): Promise<LetterDetail> {
  return json(`/ops/dead-letters/${id}`);
}

/** Redrives these letters, as many at once as may be. */
export async function redriveAll(ids: readonly string[]): Promise<Redrive[]> {
  const redrives: Redrive[] = [];
  for (let from = 0; from < ids.length; from += REDRIVEN_AT_ONCE) {
    const response = await operate('/ops/dead-letters/redrive', { ids: ids.slice(from, from + REDRIVEN_AT_ONCE) });
    if (!response.ok) throw new Error(`redrive: ${response.status} ${await response.text()}`);
    redrives.push(...(await response.json<List<Redrive>>()).data);
  }
  return redrives;
}

export async function redriveOne(id: string): Promise<Redrive> {
  const response = await operate(`/ops/dead-letters/${id}/redrive`, {});
  if (!response.ok) throw new Error(`redrive: ${response.status} ${await response.text()}`);
  return response.json();
}

export async function discard(id: string): Promise<Response> {
  return operate(`/ops/dead-letters/${id}/discard`, {});
}

function operate(path: string, body: object): Promise<Response> {
  return call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...WORD, ...body }),
  });
}

/** Both sides of X3: how many came in, by the counter, and what the rows say that became of them. */
export async function balance() {
  const rows = await env.DB.prepare('SELECT status, COUNT(*) AS n FROM dead_letters GROUP BY status').all<{
    status: Letter['status'];
    n: number;
  }>();
  const counters = await env.DB.prepare(
    `SELECT series, value FROM metric_counters WHERE series LIKE 'dead_letters.%'`,
  ).all<{
    series: string;
    value: number;
  }>();
  const of = (status: Letter['status']) => rows.results.find((row) => row.status === status)?.n ?? 0;
  const counted = (series: string) => counters.results.find((row) => row.series === series)?.value ?? 0;
  return {
    in: counted(DEAD_LETTER_SERIES.stored),
    present: of('present'),
    redriven: of('redriven'),
    discarded: of('discarded'),
    countedRedriven: counted(DEAD_LETTER_SERIES.redriven),
    countedDiscarded: counted(DEAD_LETTER_SERIES.discarded),
  };
}
