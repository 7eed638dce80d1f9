/**
 * Pure: the saga engine. One function, `step`: saga + input → saga, events, and the commands to hand to queues now.
 * It knows no payment and no refund: those are tables (`payment-saga.ts`). It has no clock, no randomness and no
 * storage: the object that owns the saga brings the time and commits what comes back, all or nothing (S6).
 *
 * How a command lives: it is stored with the transition that caused it, sent, and sent again by the timer until an
 * outcome is known. So losing every message in flight only delays a saga, and every consumer must take the same effect
 * id twice.
 */
import { InvariantError } from '../errors.ts';
import type { EventType } from '../events/catalogue.ts';
import { CATALOGUE } from '../events/catalogue.ts';
import type { Envelope } from '../events/envelope.ts';
import { toTimestamp } from '../events/envelope.ts';
import { backoffMs } from '../retry.ts';
import type { Outcome, Result } from './outcome.ts';
import type {
  CommandSpec,
  NewEvent,
  PendingCommand,
  Rule,
  RuleContext,
  Saga,
  SagaTable,
  StateSpec,
  Step,
  StepContext,
  StepInput,
} from './table.ts';
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
 * a timer with nothing due, the death of a command that has an outcome.
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
    case 'died':
      draft.takeDeath(input.effectId);
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

/** The saga without the commands whose effects a consumer has durably taken over, with nothing to tell of them. */
export function withoutCommands<State extends string, Data, Name extends string>(
  saga: Saga<State, Data, Name>,
  effectIds: ReadonlySet<string>,
): Saga<State, Data, Name> {
  const pending = saga.pending.filter((command) => !effectIds.has(effectIdOf(command) ?? ''));
  return pending.length === saga.pending.length ? saga : { ...saga, pending };
}

export function effectIdOf(command: PendingCommand): string | null {
  return command.event?.metadata.message_deduplication_id ?? null;
}

/** The saga while one step is worked out. Lives for one call of `begin` or `step`. */
class Draft<State extends string, Data, Name extends string> {
  readonly #table: SagaTable<State, Data, Name>;
  readonly #context: StepContext;
  #saga: Saga<State, Data, Name>;
  readonly #events: Envelope[] = [];
  readonly #send: PendingCommand<Name>[] = [];

  constructor(table: SagaTable<State, Data, Name>, context: StepContext, saga: Saga<State, Data, Name>) {
    this.#table = table;
    this.#context = context;
    this.#saga = saga;
  }

  finish(): Step<State, Data, Name> {
    return { saga: this.#saga, events: this.#events, send: this.#send };
  }

  takeOutcome(outcome: Outcome): void {
    const { name: classified, result } = this.#table.classify(outcome.fact);
    const pending = this.#saga.pending.find((command) => effectIdOf(command) === outcome.effect_id);
    const settled = this.#saga.settled[outcome.effect_id];
    const spec = this.#spec(pending?.name ?? settled?.split(':')[0] ?? classified);
    // A late answer to a question that is no longer asked, or the same answer again: nothing to learn.
    if (pending === undefined && spec.waitMs !== undefined) return;
    if (settled === `${spec.name}:${result}`) return;
    this.record(outcome.fact.event_type, outcome.fact.payload, outcome.fact.event_type === 'payment_gateway.response');
    this.#apply(spec, result, pending ?? null, outcome);
  }

  takeTimer(): void {
    for (const command of this.#saga.pending) {
      // A rule may have dropped it meanwhile: what is not pending any more is not due.
      if (command.dueAtMs <= this.#context.nowMs && this.#saga.pending.includes(command)) this.#wake(command);
    }
  }

  takeDeath(effectId: string): void {
    const command = this.#saga.pending.find((candidate) => effectIdOf(candidate) === effectId);
    if (command === undefined) return;
    const spec = this.#spec(command.name);
    if (spec.giveUpAtMs !== undefined && spec.waitMs === undefined) this.#apply(spec, 'spent', command, null);
    else this.#replace(command, { ...command, dueAtMs: this.#context.nowMs + this.#backoffMs(command) });
  }

  /** Appends an event to the log. `repeats` numbers its deduplication id by its sequence. */
  record(type: EventType, payload: Record<string, unknown>, repeats = false): Envelope {
    const sequence = this.#saga.sequence + 1;
    const { entityId } = this.#table.group(this.#saga.data);
    const event = this.#envelope(type, payload, `${type}.${entityId}${repeats ? `.${sequence}` : ''}`, sequence);
    this.#events.push(event);
    this.#saga = { ...this.#saga, sequence, data: this.#table.touch(this.#saga.data, this.#context.nowMs) };
    return event;
  }

  /** Enters `state`: facts first, then its commands. Questions of the state before are dropped; effects never are. */
  enter(state: State, afterMs = 0): void {
    const spec = this.#table.states[state];
    this.#saga = {
      ...this.#saga,
      state,
      enteredAtMs: this.#context.nowMs,
      pending: this.#saga.pending.filter((command) => this.#spec(command.name).waitMs === undefined),
      results: {},
    };
    for (const fact of spec.facts?.(this.#saga.data) ?? []) this.record(fact.type, fact.payload, fact.repeats);
    for (const name of spec.commands(this.#saga.data)) this.#issue(name, afterMs);
  }

  #apply(
    spec: CommandSpec<Data, Name>,
    result: Result,
    command: PendingCommand<Name> | null,
    outcome: Outcome | null,
  ): void {
    const state = this.#table.states[this.#saga.state];
    const context = { ...this.#context, saga: this.#saga, fact: outcome?.fact ?? null, command };
    const rules = this.#rules(spec, result, command, outcome);
    const rule = rules?.find((candidate) => candidate.when?.(context) ?? true);
    if (rules !== undefined && rule === undefined) {
      throw new InvariantError('saga_rule_total', { state: this.#saga.state, command: spec.name, result });
    }
    if (rule?.again === true) {
      this.#learn(rule, context);
      if (command !== null) this.#tryAgain(spec, command, outcome);
      return;
    }
    this.#settle(spec, result, command, outcome?.effect_id ?? null);
    // No rule: it came too late to change anything, and is recorded (S4).
    if (rule === undefined) return;
    this.#learn(rule, context);
    for (const fact of rule.facts?.(this.#saga.data) ?? []) this.record(fact.type, fact.payload, fact.repeats);
    for (const name of rule.send ?? []) this.#issue(name);
    const to = rule.to ?? this.#joined(state);
    if (to === undefined) return;
    if (state.terminal && state.mayTurnTo?.includes(to) !== true)
      throw new InvariantError('S4_terminal_left', { state: this.#saga.state, to });
    this.enter(to, rule.afterMs?.(context));
  }

  #rules(
    spec: CommandSpec<Data, Name>,
    result: Result,
    command: PendingCommand<Name> | null,
    outcome: Outcome | null,
  ): readonly Rule<State, Data, Name>[] | undefined {
    const key = `${spec.name}:${result}` as const;
    // An effect that is still pending is not replaced by a newer one: two late authorizations are two to undo.
    const isOlder =
      command === null && outcome !== null && spec.repeats === true && outcome.effect_id !== this.#effectId(spec);
    if (isOlder && !this.#table.isSameEffect(this.#saga.data, outcome.fact)) return this.#table.superseded[key];
    return this.#table.states[this.#saga.state].on[key] ?? this.#table.always[key];
  }

  /** For states that wait for several commands: the way on, once the last of them has ended. */
  #joined(state: StateSpec<State, Data, Name>): State | undefined {
    if (state.whenAllEnded === undefined) return undefined;
    const results = state.commands(this.#saga.data).map((name) => this.#saga.results[name]);
    if (results.includes(undefined)) return undefined;
    return results.every((result) => result === 'done') ? state.whenAllEnded.done : state.whenAllEnded.otherwise;
  }

  #learn(rule: Rule<State, Data, Name>, context: RuleContext<Data>): void {
    if (rule.learn) this.#saga = { ...this.#saga, data: rule.learn(this.#saga.data, context) };
    if (rule.count) this.record(rule.count, { payment_id: this.#table.group(this.#saga.data).paymentId });
  }

  #settle(
    spec: CommandSpec<Data, Name>,
    result: Result,
    command: PendingCommand<Name> | null,
    effectId: string | null,
  ): void {
    const isKept = effectId !== null && spec.waitMs === undefined && !this.#isWeaker(effectId, result);
    this.#saga = {
      ...this.#saga,
      pending: this.#saga.pending.filter((candidate) => candidate !== command),
      settled: isKept ? { ...this.#saga.settled, [effectId]: `${spec.name}:${result}` } : this.#saga.settled,
      results: { ...this.#saga.results, [spec.name]: result },
    };
  }

  /** What is known for good is not replaced by an older, weaker word that comes after it. */
  #isWeaker(effectId: string, result: Result): boolean {
    const [, known] = this.#saga.settled[effectId]?.split(':') ?? [];
    return (known === 'done' || known === 'refused') && result !== 'done' && result !== 'refused';
  }

  #tryAgain(spec: CommandSpec<Data, Name>, command: PendingCommand<Name>, outcome: Outcome | null): void {
    if (spec.waitMs !== undefined) {
      this.#saga = { ...this.#saga, pending: this.#saga.pending.filter((candidate) => candidate !== command) };
      this.#issue(spec.name);
      return;
    }
    const askedMs = outcome?.retryAfterMs ?? 0;
    const dueAtMs = this.#context.nowMs + Math.max(askedMs, this.#backoffMs(command));
    this.#replace(command, { ...command, heard: true, dueAtMs });
  }

  #wake(command: PendingCommand<Name>): void {
    const spec = this.#spec(command.name);
    const giveUpAtMs = spec.giveUpAtMs?.(this.#saga, command, this.#context.policy);
    const isSpent = giveUpAtMs !== undefined && this.#context.nowMs >= giveUpAtMs;
    if (!isSpent) this.#hand(command);
    // An effect that was only waiting for its time has provably reached nobody.
    else this.#apply(spec, command.attempts === 0 && spec.waitMs === undefined ? 'not_sent' : 'spent', command, null);
  }

  #issue(name: Name, afterMs = 0): void {
    const spec = this.#spec(name);
    const before = this.#saga.issued[name] ?? 0;
    const command: PendingCommand<Name> = {
      name,
      event: null,
      attempts: 0,
      firstSentAtMs: null,
      allHeard: true,
      heard: true,
      dueAtMs: this.#context.nowMs,
    };
    this.#saga = { ...this.#saga, issued: { ...this.#saga.issued, [name]: before + 1 } };
    const waitMs = spec.waitMs?.(this.#context.policy, before) ?? afterMs;
    const waiting = { ...command, dueAtMs: this.#context.nowMs + waitMs };
    this.#saga = { ...this.#saga, pending: [...this.#saga.pending, waiting] };
    if (spec.waitMs === undefined && afterMs === 0) this.#hand(waiting);
  }

  /** Puts a command into the log if it is not there yet, and lists it for sending. */
  #hand(command: PendingCommand<Name>): void {
    const event = command.event ?? this.#recordCommand(command.name);
    const handed = {
      ...command,
      event,
      attempts: command.attempts + 1,
      firstSentAtMs: command.firstSentAtMs ?? this.#context.nowMs,
      allHeard: command.allHeard && command.heard,
      heard: false,
      dueAtMs: this.#context.nowMs + this.#backoffMs({ ...command, attempts: command.attempts + 1 }),
    };
    this.#replace(command, handed);
    this.#send.push(handed);
  }

  #recordCommand(name: Name): Envelope {
    const spec = this.#spec(name);
    const sequence = this.#saga.sequence + 1;
    const payload = spec.payload(this.#saga.data, this.#context);
    const event = this.#envelope(spec.type(this.#saga.data), payload, this.#effectId(spec), sequence);
    this.#events.push(event);
    this.#saga = { ...this.#saga, sequence };
    return event;
  }

  /** The effect id of the newest command of that kind. */
  #effectId(spec: CommandSpec<Data, Name>): string {
    const { data, issued } = this.#saga;
    const suffix = spec.repeats === true ? `.${issued[spec.name] ?? 1}` : '';
    return `${spec.type(data)}.${this.#table.group(data).entityId}${suffix}`;
  }

  #envelope(type: EventType, payload: Record<string, unknown>, deduplicationId: string, sequence: number): Envelope {
    const { data } = this.#saga;
    return {
      event_id: this.#context.newId(),
      event_type: type,
      event_version: CATALOGUE[type].version,
      timestamp: toTimestamp(this.#context.nowMs),
      payload,
      metadata: {
        source: CATALOGUE[type].source,
        ...this.#table.scope(data),
        trace_id: this.#context.trace.traceId,
        traceparent: this.#context.trace.traceparent,
        idempotency_key: this.#table.idempotencyKey(data),
        message_group_id: this.#table.group(data).groupId,
        message_deduplication_id: deduplicationId,
        sequence,
      },
    };
  }

  #replace(command: PendingCommand<Name>, by: PendingCommand<Name>): void {
    const pending = this.#saga.pending.map((candidate) => (candidate === command ? by : candidate));
    this.#saga = { ...this.#saga, pending };
  }

  #backoffMs(command: PendingCommand<Name>): number {
    const { policy, random } = this.#context;
    return backoffMs(
      this.#spec(command.name).resend?.(policy) ?? policy.resend,
      Math.max(1, command.attempts),
      random(),
    );
  }

  #spec(name: string): CommandSpec<Data, Name> {
    if (!Object.hasOwn(this.#table.commands, name)) throw new InvariantError('saga_command_known', { name });
    return this.#table.commands[name as Name];
  }
}
