/**
 * Pure: what a saga knows of its effects: the ids under which they are asked for, which of them are done, and which were given
 * up with no answer. Values in, values out; called by the engine.
 */
import type { Outcome, Result } from './outcome.ts';
import type { CommandSpec, PendingCommand, Saga, SagaTable } from './table.ts';

export function effectIdOf(command: PendingCommand): string | null {
  return command.event?.metadata.message_deduplication_id ?? null;
}

/** The command of which it is known how its last sending ended; that is told any number of times, and ends one sending. */
export function accountedFor<Name extends string>(command: PendingCommand<Name>): PendingCommand<Name> {
  const { attempts, accounted = 0, accountedAt } = command;
  return accountedAt === attempts ? command : { ...command, accounted: accounted + 1, accountedAt: attempts };
}

/**
 * Whether it proves nothing of an effect that one sending of its command has reached nobody: another sending is out, or the provider
 * has answered, with "pending" (decision 0011).
 */
export function provesNothing({ command }: { readonly command: PendingCommand | null }): boolean {
  return command === null || !command.allHeard;
}

/** Whether there may be older effects of the command than its newest. */
export function isReissued<Data>({ repeats, retriable }: CommandSpec<Data>): boolean {
  return repeats === true || retriable === true;
}

/** The effect id of the command's newest issue, or of its `n`th. */
export function effectIdOfIssue<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  spec: CommandSpec<Data, Name>,
  n = saga.issued[spec.name] ?? 1,
): string {
  const again = spec.retriable === true && n > 1 ? `.r${n}` : '';
  const suffix = spec.repeats === true ? `.${n}` : again;
  return `${spec.type(saga.data, saga.state)}.${table.group(saga.data).entityId}${suffix}`;
}

/**
 * An effect id without the number of its issue, to be sent along under a provider's key and echoed: a key has no number either, and a
 * provider that compares bodies must find the same one in every round (decision 0021).
 */
export function unnumbered(effectId: string): string {
  return effectId.replace(/\.[0-9]+$/, '');
}

/** Which effect an outcome is of: one that was echoed without its number is of the newest that was sent, where that is the same. */
export function effectIdOfOutcome<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  spec: CommandSpec<Data, Name>,
  { effect_id: told, fact }: Outcome,
): string {
  const newest = effectIdOfIssue(table, saga, spec);
  if (spec.isEchoed !== true || told !== unnumbered(newest)) return told;
  const isSent = Object.hasOwn(saga.settled, newest) || saga.pending.some((command) => effectIdOf(command) === newest);
  return isSent && table.isSameEffect(saga.data, fact) ? newest : told;
}

/** What is known of an effect for good is not replaced by an older, weaker word that comes after it. */
export function isWeaker<State extends string, Data, Name extends string>(
  { settled }: Saga<State, Data, Name>,
  effectId: string,
  result: Result,
): boolean {
  const [, known] = settled[effectId]?.split(':') ?? [];
  return (known === 'done' || known === 'refused') && result !== 'done' && result !== 'refused';
}

/** Whether one of the command's issues has taken effect. */
export function isDone<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  spec: CommandSpec<Data, Name>,
): boolean {
  const numbers = Array.from({ length: saga.issued[spec.name] ?? 0 }, (_, index) => index + 1);
  return numbers.some((n) => saga.settled[effectIdOfIssue(table, saga, spec, n)] === `${spec.name}:done`);
}

/** The saga of which a person says that the command's newest effect is there: it counts as done, and is not tried again. */
export function withStated<State extends string, Data, Name extends string>(
  table: SagaTable<State, Data, Name>,
  saga: Saga<State, Data, Name>,
  spec: CommandSpec<Data, Name>,
): Saga<State, Data, Name> {
  if ((saga.issued[spec.name] ?? 0) === 0) return saga;
  const effectId = effectIdOfIssue(table, saga, spec);
  return withoutSpent({ ...saga, settled: { ...saga.settled, [effectId]: `${spec.name}:done` } }, [effectId]);
}

export function spentOf<State extends string, Data, Name extends string>(
  { spent = [] }: Saga<State, Data, Name>,
  name: Name,
): readonly PendingCommand<Name>[] {
  return spent.filter((command) => command.name === name);
}

/** The saga that keeps a command which was given up. */
export function withSpent<State extends string, Data, Name extends string>(
  saga: Saga<State, Data, Name>,
  command: PendingCommand<Name> | null,
): Saga<State, Data, Name> {
  return command === null || command.event === null ? saga : { ...saga, spent: [...(saga.spent ?? []), command] };
}

/** The saga without those that were given up, and are tried again or known of after all. */
export function withoutSpent<State extends string, Data, Name extends string>(
  { spent, ...saga }: Saga<State, Data, Name>,
  effectIds: readonly (string | null)[],
): Saga<State, Data, Name> {
  const kept = spent?.filter((command) => !effectIds.includes(effectIdOf(command))) ?? [];
  return kept.length === 0 ? saga : { ...saga, spent: kept };
}

/** The saga whose question is asked on its schedule from the start, and under its next number all the same. */
export function askedFromTheStart<State extends string, Data, Name extends string>(
  saga: Saga<State, Data, Name>,
  name: Name,
): Saga<State, Data, Name> {
  return { ...saga, askedBefore: { ...saga.askedBefore, [name]: saga.issued[name] ?? 0 } };
}
