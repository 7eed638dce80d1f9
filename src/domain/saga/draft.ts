/**
 * Pure: the saga while one step of the engine is worked out: what an input does to it, by the rules of its table. Lives for
 * one call of `begin` or `step`, and is used by nothing else (`engine.ts`).
 */
import { InvariantError } from '../errors.ts';
import type { EventType } from '../events/catalogue.ts';
import { CATALOGUE } from '../events/catalogue.ts';
import type { Envelope } from '../events/envelope.ts';
import { toTimestamp } from '../events/envelope.ts';
import { backoffMs } from '../retry.ts';
import { spanIdOf, withSpanId } from '../tracing/trace-context.ts';
import {
  accountedFor,
  askedFromTheStart,
  effectIdOf,
  effectIdOfIssue,
  effectIdOfOutcome,
  isDone,
  isReissued,
  isWeaker,
  spentOf,
  withoutSpent,
  withSpent,
  withStated,
} from './effects.ts';
import { ruleOfMove } from './operator.ts';
import type { Outcome, Result } from './outcome.ts';
import type {
  CommandSpec,
  OperatorMove,
  PendingCommand,
  Rule,
  RuleContext,
  Saga,
  SagaTable,
  StateSpec,
  Step,
  StepContext,
} from './table.ts';

export class Draft<State extends string, Data, Name extends string> {
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

  takeOutcome(told: Outcome): void {
    const { name: classified, result } = this.#table.classify(told.fact);
    const outcome = { ...told, effect_id: effectIdOfOutcome(this.#table, this.#saga, this.#spec(classified), told) };
    const pending = this.#pendingFor(outcome.effect_id);
    const settled = this.#saga.settled[outcome.effect_id];
    const spent = this.#saga.spent?.find((command) => effectIdOf(command) === outcome.effect_id);
    const spec = this.#spec(pending?.name ?? spent?.name ?? settled?.split(':')[0] ?? classified);
    // A late answer to a question that is no longer asked, or the same again, unless it is tried again: nothing to learn.
    const isKnown = spec.waitMs !== undefined || settled === `${spec.name}:${result}`;
    if (pending === undefined && isKnown) return;
    const { event_type: type, payload } = outcome.fact;
    // What can be answered more than once, or commanded more than once, is a fact more than once; as is what a person has had
    // tried again.
    const repeats = type === 'payment_gateway.response' || spec.repeats === true || this.#saga.lastMove !== undefined;
    this.record(type, payload, repeats);
    this.#apply(spec, result, pending ?? null, outcome);
  }

  takeTimer(): void {
    for (const command of this.#saga.pending) {
      // A rule may have dropped it meanwhile: what is not pending any more is not due.
      if (command.dueAtMs <= this.#context.nowMs && this.#saga.pending.includes(command)) this.#wake(command);
    }
  }

  takeQuestion(effectId: string): void {
    const command = this.#pendingFor(effectId);
    if (command?.allHeard === true) this.#replace(command, { ...command, allHeard: false });
  }

  takeDeath(effectId: string): void {
    const pending = this.#pendingFor(effectId);
    if (pending === undefined) return;
    const command = accountedFor(pending);
    this.#replace(pending, command);
    const spec = this.#spec(command.name);
    // The death of one sending says nothing of another that is out. What a person would be asked about is tried for its whole budget
    // (decision 0088); of the rest, what became of it is asked at once.
    const mayEnd = spec.giveUpAtMs !== undefined && spec.waitMs === undefined && command.allHeard;
    if (mayEnd && (spec.retriable !== true || this.#isOver(spec, command))) this.#apply(spec, 'spent', command, null);
    else this.#replace(command, { ...command, dueAtMs: this.#context.nowMs + this.#backoffMs(command) });
  }

  /** The same command under the same effect id, and no later than it may be tried: what is not pending is not sent. */
  takeRedrive(effectId: string): void {
    const command = this.#pendingFor(effectId);
    if (command !== undefined) this.#wake(command);
  }

  /** A person's move: its fact, what it teaches, and the way on. */
  takeMove(move: OperatorMove): void {
    const found = ruleOfMove(this.#table, this.#saga, move, this.#context);
    if (found === null) return;
    const { reason, rule, context } = found;
    const fact = this.#table.attention.fact(this.#saga.data, reason, move);
    this.record(fact.type, fact.payload, fact.repeats);
    this.#saga = { ...this.#saga, lastMove: move };
    for (const name of rule.stated ?? []) this.#saga = withStated(this.#table, this.#saga, this.#spec(name));
    this.#learn(rule, context);
    for (const name of rule.send ?? []) this.#issueAgain(name);
    if (rule.to === undefined) return;
    if (this.#table.states[this.#saga.state].terminal)
      throw new InvariantError('S4_terminal_left', { state: this.#saga.state, to: rule.to });
    this.#resume(rule.to);
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

  /**
   * Enters `state`: facts first, then its commands. Questions of the state before are dropped, and what was only scheduled; an
   * effect that was handed over never is.
   */
  enter(state: State, afterMs = 0): void {
    const spec = this.#enterOnly(state);
    for (const name of spec.commands(this.#saga.data)) this.#issue(name, afterMs);
  }

  /** Enters `state` by a person's move: what a state that waits for several has got done already is not done again. */
  #resume(state: State): void {
    const spec = this.#enterOnly(state);
    const commands = spec.commands(this.#saga.data);
    const done =
      spec.whenAllEnded === undefined
        ? []
        : commands.filter((name) => isDone(this.#table, this.#saga, this.#spec(name)));
    this.#saga = { ...this.#saga, results: Object.fromEntries(done.map((name) => [name, 'done' as const])) };
    for (const name of commands) if (!done.includes(name)) this.#issueAgain(name);
    const to = this.#joined(spec);
    if (to !== undefined) this.enter(to);
  }

  #enterOnly(state: State): StateSpec<State, Data, Name> {
    const spec = this.#table.states[state];
    this.#saga = {
      ...this.#saga,
      state,
      enteredAtMs: this.#context.nowMs,
      pending: this.#saga.pending.filter(({ name, event }) => event !== null && this.#spec(name).waitMs === undefined),
      results: {},
    };
    for (const fact of spec.facts?.(this.#saga.data) ?? []) this.record(fact.type, fact.payload, fact.repeats);
    return spec;
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
    this.#saga = { ...this.#saga, results: { ...this.#saga.results, [spec.name]: result } };
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
      command === null && outcome !== null && isReissued(spec) && outcome.effect_id !== this.#effectId(spec);
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

  /** What a person was needed for is left before the rule teaches: that may be what one is needed for next. */
  #learn(rule: Rule<State, Data, Name>, context: RuleContext<Data>): void {
    if (rule.to !== undefined) this.#saga = { ...this.#saga, data: this.#table.attention.leave(this.#saga.data) };
    if (rule.learn) this.#saga = { ...this.#saga, data: rule.learn(this.#saga.data, context) };
    // A refund can become unknown more than once.
    if (rule.count) this.record(rule.count, { payment_id: this.#table.group(this.#saga.data).paymentId }, true);
  }

  #settle(
    spec: CommandSpec<Data, Name>,
    result: Result,
    command: PendingCommand<Name> | null,
    effectId: string | null,
  ): void {
    const isKept = effectId !== null && spec.waitMs === undefined && !isWeaker(this.#saga, effectId, result);
    this.#saga = {
      ...this.#saga,
      pending: this.#saga.pending.filter((candidate) => candidate !== command),
      settled: isKept ? { ...this.#saga.settled, [effectId]: `${spec.name}:${result}` } : this.#saga.settled,
    };
    if (result === 'spent' && spec.retriable === true) this.#saga = withSpent(this.#saga, command);
    else if (result === 'done' || result === 'refused') this.#saga = withoutSpent(this.#saga, [effectId]);
  }

  #tryAgain(spec: CommandSpec<Data, Name>, command: PendingCommand<Name>, outcome: Outcome | null): void {
    if (spec.waitMs !== undefined) {
      if (this.#isOver(spec, command)) {
        this.#apply(spec, 'spent', command, null);
        return;
      }
      this.#saga = { ...this.#saga, pending: this.#saga.pending.filter((candidate) => candidate !== command) };
      this.#issue(spec.name);
      return;
    }
    const askedMs = outcome?.retryAfterMs ?? 0;
    const dueAtMs = this.#context.nowMs + Math.max(askedMs, this.#backoffMs(command));
    this.#replace(command, { ...accountedFor(command), heard: true, dueAtMs });
  }

  #wake(command: PendingCommand<Name>): void {
    const spec = this.#spec(command.name);
    const isUnsent = command.attempts === 0;
    // What was to be asked while there was time is asked, and not given up unasked; what comes up later is not.
    const isAsked = spec.waitMs !== undefined && isUnsent && command.dueAtMs <= this.#giveUpAtMs(spec, command);
    if (isAsked || !this.#isOver(spec, command)) this.#hand(command);
    // An effect that was only waiting for its time has provably reached nobody.
    else this.#apply(spec, isUnsent && spec.waitMs === undefined ? 'not_sent' : 'spent', command, null);
  }

  #issue(name: Name, afterMs = 0): void {
    const spec = this.#spec(name);
    // A question is asked once at a time: two would have one number.
    if (spec.waitMs !== undefined && this.#saga.pending.some((each) => each.name === name)) return;
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
    const askedBefore = before - (this.#saga.askedBefore?.[name] ?? 0);
    const waitMs = spec.waitMs?.(this.#context.policy, askedBefore) ?? afterMs;
    const endMs = spec.waitMs === undefined ? Number.POSITIVE_INFINITY : this.#giveUpAtMs(spec, command);
    const dueAtMs = Math.max(this.#context.nowMs, Math.min(this.#context.nowMs + waitMs, endMs));
    const waiting = { ...command, dueAtMs };
    this.#saga = { ...this.#saga, pending: [...this.#saga.pending, waiting] };
    if (spec.waitMs === undefined && afterMs === 0) this.#hand(waiting);
  }

  /** Issues what a person tries again: what may have acted under its own id, a question on its schedule from the start. */
  #issueAgain(name: Name): void {
    const spent = spentOf(this.#saga, name);
    this.#saga = withoutSpent(this.#saga, spent.map(effectIdOf));
    for (const command of spent) {
      const { accounted: _tries, accountedAt: _last, ...known } = command;
      const anew = { ...known, attempts: 0, firstSentAtMs: null, dueAtMs: this.#context.nowMs };
      this.#saga = { ...this.#saga, pending: [...this.#saga.pending, anew] };
      this.#hand(anew);
    }
    if (spent.length > 0) return;
    if (this.#spec(name).waitMs !== undefined) this.#saga = askedFromTheStart(this.#saga, name);
    this.#issue(name);
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
    const { data, state } = this.#saga;
    const payload = spec.payload(data, this.#context, state);
    const event = this.#envelope(spec.type(data, state), payload, this.#effectId(spec), sequence);
    this.#events.push(event);
    this.#saga = { ...this.#saga, sequence };
    return event;
  }

  /** The effect id of the newest command of that kind. */
  #effectId(spec: CommandSpec<Data, Name>): string {
    return effectIdOfIssue(this.#table, this.#saga, spec);
  }

  #envelope(type: EventType, payload: Record<string, unknown>, deduplicationId: string, sequence: number): Envelope {
    const { data } = this.#saga;
    const { traceId, traceparent } = this.#context.trace;
    const eventId = this.#context.newId();
    // What a command's message leads to hangs under the command's span, which is told when the run is recorded.
    const parent = CATALOGUE[type].kind === 'command' ? withSpanId(traceparent, spanIdOf(eventId)) : traceparent;
    return {
      event_id: eventId,
      event_type: type,
      event_version: CATALOGUE[type].version,
      timestamp: toTimestamp(this.#context.nowMs),
      payload,
      metadata: {
        source: CATALOGUE[type].source,
        ...this.#table.scope(data),
        trace_id: traceId,
        traceparent: parent,
        idempotency_key: this.#table.idempotencyKey(data),
        message_group_id: this.#table.group(data).groupId,
        message_deduplication_id: deduplicationId,
        sequence,
      },
    };
  }

  #pendingFor(effectId: string): PendingCommand<Name> | undefined {
    return this.#saga.pending.find((command) => effectIdOf(command) === effectId);
  }

  #replace(command: PendingCommand<Name>, by: PendingCommand<Name>): void {
    const pending = this.#saga.pending.map((candidate) => (candidate === command ? by : candidate));
    this.#saga = { ...this.#saga, pending };
  }

  /** Infinity: it is tried for as long as it takes. */
  #giveUpAtMs(spec: CommandSpec<Data, Name>, command: PendingCommand<Name>): number {
    return spec.giveUpAtMs?.(this.#saga, command, this.#context.policy) ?? Number.POSITIVE_INFINITY;
  }

  #isOver(spec: CommandSpec<Data, Name>, command: PendingCommand<Name>): boolean {
    return this.#context.nowMs >= this.#giveUpAtMs(spec, command);
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
