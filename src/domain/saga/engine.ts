/**
 * Pure: the saga engine. One function, `step`: saga + input → saga, events, and the commands to hand to queues now.
 * It knows no payment and no refund: those are tables (`payment-saga.ts`). It has no clock, no randomness and no
 * storage: the object that owns the saga brings the time and commits what comes back, all or nothing (S6).
 *
 * How a command lives: it is stored with the transition that caused it, sent, and sent again by the timer until an
 * outcome is known. So losing every message in flight only delays a saga, and every consumer must take the same effect
 * id twice.
 */
import { Draft } from './draft.ts';
import { effectIdOf } from './effects.ts';
import type { NewEvent, Saga, SagaTable, Step, StepContext, StepInput } from './table.ts';

/** Begins a saga in `state`: the facts given, then the commands of that state. */
export function begin<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  state: State,
  data: Data,
  facts: readonly NewEvent[],
  context: StepContext,
): Step<State, Data, Name> {
  const draft = new Draft(table, context, {
    state,
    data,
    enteredAtMs: context.nowMs,
    sequence: 0,
    pending: [],
    issued: {},
    settled: {},
    results: {},
  });
  for (const fact of facts) draft.record(fact.type, fact.payload, fact.repeats);
  draft.enter(state);
  return draft.finish();
}

/**
 * One step. Returns the saga unchanged (the same reference) with no events when the input changes nothing: a duplicate,
 * a timer with nothing due, the death or the redrive of a command that has an outcome, a question about one, a person's move
 * that is not possible.
 * @throws InvariantError when the table has no way on from where the input leads.
 */
export function step<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  input: StepInput,
  context: StepContext,
): Step<State, Data, Name> {
  const draft = new Draft(table, context, saga);
  switch (input.kind) {
    case 'outcome':
      draft.takeOutcome(input.outcome);
      break;
    case 'timer':
      draft.takeTimer();
      break;
    case 'asked':
      draft.takeQuestion(input.effectId);
      break;
    case 'died':
      draft.takeDeath(input.effectId);
      break;
    case 'redrive':
      draft.takeRedrive(input.effectId);
      break;
    case 'move':
      draft.takeMove(input.move);
      break;
  }
  return draft.finish();
}

/** Records facts that are no outcome of a command: what the owner of the saga was told by another object. */
export function annotate<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  facts: readonly NewEvent[],
  context: StepContext,
): Step<State, Data, Name> {
  const draft = new Draft(table, context, saga);
  for (const fact of facts) draft.record(fact.type, fact.payload, fact.repeats);
  return draft.finish();
}

/** When the owner must be woken next, or null when nothing is pending. */
export function nextDueAtMs(saga: Saga): number | null {
  return saga.pending.length === 0 ? null : Math.min(...saga.pending.map((command) => command.dueAtMs));
}

/** Whether the effect of a command has no outcome yet. */
export function isPending(saga: Saga, effectId: string): boolean {
  return saga.pending.some((command) => effectIdOf(command) === effectId);
}

/** The saga without the commands whose effects a consumer has durably taken over, with nothing to tell of them. */
export function withoutCommands<State extends string, Data, Name extends string>(
  saga: Saga<State, Data, Name>,
  effectIds: ReadonlySet<string>,
): Saga<State, Data, Name> {
  const pending = saga.pending.filter((command) => {
    const effectId = effectIdOf(command);
    return effectId === null || !effectIds.has(effectId);
  });
  return pending.length === saga.pending.length ? saga : { ...saga, pending };
}
