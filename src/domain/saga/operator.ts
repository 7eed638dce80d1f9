/**
 * Pure: what a person may do about a saga that needs attention: which moves its reason takes now, and why one is refused.
 * What a move does is in the saga's table (`attention`); the engine does it. Called by the engine, by the objects of sagas
 * and by the operator's view.
 */
import { canonicalJson } from '../canonical.ts';
import type { AttentionMoves, MoveRule, OperatorMove, RuleContext, Saga, SagaTable, StepContext } from './table.ts';

export interface RuleOfMove<State extends string, Data, Name extends string> {
  readonly reason: string;
  readonly rule: MoveRule<State, Data, Name>;
  readonly context: RuleContext<Data> & { readonly move: OperatorMove };
}

/**
 * `possible` · `repeated`: the move has been made, and the saga has gone on · `not_in_attention` · `not_possible`: the
 * reason for which the saga needs attention does not take it, or not as things stand.
 */
export type MoveVerdict = 'possible' | 'repeated' | 'not_in_attention' | 'not_possible';

/** The rule that a move would follow now; null where there is none. */
export function ruleOfMove<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  move: OperatorMove,
  step: StepContext,
): RuleOfMove<State, Data, Name> | null {
  const reason = table.attention.reasonOf(saga);
  if (reason === null) return null;
  const moves = movesOf(table, reason);
  const rules = move.kind === 'retry' ? moves?.retry : own(moves?.resolve ?? {}, move.resolution ?? '');
  const context = { ...step, saga, fact: null, command: null, move };
  const rule = rules?.find((candidate) => candidate.when?.(context) ?? true);
  return rule === undefined ? null : { reason, rule, context };
}

/** The moves that a reason takes; undefined for one that the table does not know. */
export function movesOf<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  reason: string,
): AttentionMoves<State, Data, Name> | undefined {
  return own(table.attention.moves, reason);
}

/** A member that a client may name: never one of every object's (`constructor`). */
function own<Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

/** Checks, in order: the saga needs attention, or has had this very move → its reason takes the move. */
export function judgeMove<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  move: OperatorMove,
  step: StepContext,
): MoveVerdict {
  if (table.attention.reasonOf(saga) === null) {
    const isSame = saga.lastMove !== undefined && canonicalJson(saga.lastMove) === canonicalJson(move);
    return isSame ? 'repeated' : 'not_in_attention';
  }
  return ruleOfMove(table, saga, move, step) === null ? 'not_possible' : 'possible';
}

/** The moves that are possible now: `retry`, and what may be stated. */
export function possibleMoves<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  step: StepContext,
): { readonly retry: boolean; readonly resolve: readonly string[] } {
  const reason = table.attention.reasonOf(saga);
  const stated = Object.keys((reason === null ? undefined : movesOf(table, reason))?.resolve ?? {});
  const isPossible = (move: Pick<OperatorMove, 'kind' | 'resolution'>): boolean =>
    ruleOfMove(table, saga, { actor: '', reason: '', ...move }, step) !== null;
  return {
    retry: isPossible({ kind: 'retry' }),
    resolve: stated.filter((resolution) => isPossible({ kind: 'resolve', resolution })),
  };
}

/** What the fact of a move says of it. */
export function movePayload(
  attention: string,
  { actor, reason, resolution, providerReference }: OperatorMove,
): Record<string, string> {
  return {
    attention,
    ...(resolution !== undefined && { resolution }),
    ...(providerReference !== undefined && { provider_reference: providerReference }),
    actor,
    reason,
  };
}
