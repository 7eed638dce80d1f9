/**
 * Redriving dead letters: each letter's owner (a saga's object, or a webhook endpoint's) is asked to send again what it
 * still waits for; the stored body is never sent. Asked first and written down after, so that a crash in between leaves a
 * letter present whose effect was sent: redriven again, the effect id makes it one. Called by the two routes that redrive.
 */
import { redrivableOf } from '../domain/dead-letter.ts';
import { entityOf } from '../domain/events/envelope.ts';
import type { Scope } from '../domain/ids.ts';
import type { RedriveOutcome } from '../domain/redrive-rpc.ts';
import { type DeadLetterRow, noteRedrives, type Resolver, readDeadLetters } from '../read-model/dead-letters.ts';
import { ownerStub } from '../stubs.ts';
import { errorText, logLine } from '../telemetry/log.ts';
import { audit } from './audit.ts';
import type { AppContext } from './context.ts';
import { callObject } from './objects.ts';

/**
 * What a redrive came to. `redriven`: by this request. `already_redriven`, `discarded`: before, or by another at the same
 * time. The rest leave the letter present, or there is none: `owner_unreachable` may be tried again.
 */
export const REDRIVE_RESULTS = [
  'redriven',
  'already_redriven',
  'discarded',
  'not_redrivable',
  'owner_unreachable',
  'not_found',
] as const;

export interface LetterRedrive {
  readonly id: string;
  readonly result: (typeof REDRIVE_RESULTS)[number];
  readonly outcome: RedriveOutcome | null;
  /** Of the owner, after it was asked; null where it was not. */
  readonly state: string | null;
}

/** What the owner of a letter said; `outcome` is null where it said nothing. */
interface Told {
  readonly id: string;
  readonly outcome: RedriveOutcome | null;
  readonly state: string | null;
  readonly problem: 'not_redrivable' | 'owner_unreachable' | null;
}

/** One result per id, in the same order. @throws what D1 throws: before the audit is written nothing is sent. */
export async function redriveLetters(
  c: AppContext,
  ids: readonly string[],
  by: Resolver,
): Promise<readonly LetterRedrive[]> {
  const { env } = c;
  const purview = c.get('purview');
  const before = await readDeadLetters(env.DB, purview, ids);
  const candidates = [...before.values()].filter(isCandidate);
  const entries = candidates.map((letter) => ({
    ...by,
    action: 'dead_letter.redrive',
    subject: `${letter.id} ${letter.effect_id ?? letter.group_id}`,
    merchant: scopeOf(c, letter).merchant,
  }));
  await audit(c, ...entries);

  const groups = Map.groupBy(candidates, (letter) => `${letter.merchant}|${letter.group_id}`);
  const told = await Promise.all([...groups.values()].map((letters) => askOwner(c, letters)));
  const byId = new Map(told.flat().map((each) => [each.id, each]));
  const mine =
    candidates.length === 0 ? new Set<string>() : await noteRedrives(env.DB, [...byId.values()], by, Date.now());
  const after = candidates.length === 0 ? before : await readDeadLetters(env.DB, purview, ids);
  return ids.map((id) => resultOf(id, after.get(id), byId.get(id), mine.has(id)));
}

function isCandidate(letter: DeadLetterRow): boolean {
  return letter.status === 'present' && letter.group_id !== null && redrivableOf(letter) !== null;
}

/** In whose scope a letter's owner is asked: in the letter's own. One that does not say whose it is has the caller's. */
export function scopeOf(c: AppContext, { merchant, mode }: Pick<DeadLetterRow, 'merchant' | 'mode'>): Scope {
  return merchant === null || mode === null ? c.get('scope') : { merchant, mode };
}

/** One call per owner, with all that died of it: several letters of one effect are one sending. */
async function askOwner(c: AppContext, letters: readonly DeadLetterRow[]): Promise<readonly Told[]> {
  const { env } = c;
  const [first] = letters;
  const groupId = first?.group_id ?? '';
  const scope = first === undefined ? c.get('scope') : scopeOf(c, first);
  const entityId = entityOf(groupId);
  const all = (problem: Told['problem']) => letters.map(({ id }) => ({ id, outcome: null, state: null, problem }));
  const owner = ownerStub(env, scope, entityId);
  if (owner === null) return all('not_redrivable');
  try {
    const items = letters.flatMap((letter) => redrivableOf(letter) ?? []);
    const result = await callObject(
      () => ownerStub(env, scope, entityId) ?? owner,
      (stub) => stub.redrive(scope, items),
    );
    if (result.kind === 'unknown_owner') return all('not_redrivable');
    const { outcomes, state } = result;
    return letters.map(({ id }, index) => ({ id, outcome: outcomes[index] ?? null, state, problem: null }));
  } catch (error) {
    logLine('dead_letter.redrive_failed', {
      group_id: groupId,
      count: letters.length,
      error: errorText(error),
      alert: true,
    });
    return all('owner_unreachable');
  }
}

function resultOf(
  id: string,
  letter: DeadLetterRow | undefined,
  told: Told | undefined,
  isMine: boolean,
): LetterRedrive {
  const state = told?.state ?? null;
  if (letter === undefined) return { id, result: 'not_found', outcome: null, state };
  const { status, outcome } = letter;
  if (status === 'redriven') return { id, result: isMine ? 'redriven' : 'already_redriven', outcome, state };
  if (status === 'discarded') return { id, result: 'discarded', outcome: null, state };
  return { id, result: told?.problem ?? 'not_redrivable', outcome: null, state };
}
