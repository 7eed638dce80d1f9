/**
 * Pure: what a saga is made of, as types: its stored value, and the table that says how it goes on. The engine
 * (`engine.ts`) runs any such table; `payment-saga.ts` and `refund-saga.ts` are two.
 */
import type { EventType } from '../events/catalogue.ts';
import type { Envelope } from '../events/envelope.ts';
import type { Scope } from '../ids.ts';
import type { Backoff } from '../retry.ts';
import type { Fact, Outcome, Result } from './outcome.ts';
import type { SagaPolicy } from './policy.ts';

/** A command that has no outcome yet. */
export interface PendingCommand<Name extends string = string> {
  readonly name: Name;
  /** The command as it stands in the log; null while it is only scheduled. Its deduplication id is the effect id. */
  readonly event: Envelope | null;
  /** How often it was handed to a queue. */
  readonly attempts: number;
  readonly firstSentAtMs: number | null;
  /**
   * Of every sending but the last an outcome is known. False once one was sent again with none heard, or another delivery has
   * asked to carry it out: that one may have acted.
   */
  readonly allHeard: boolean;
  /** The last sending has been answered; the command is pending because the answer was to try again. */
  readonly heard: boolean;
  /** Of how many sendings it is known how they ended: with an answer, or in a dead letter. Absent: of none. */
  readonly accounted?: number;
  /** The last sending that was counted so, as `attempts` has it. */
  readonly accountedAt?: number;
  /** When it is to be sent, or sent again. */
  readonly dueAtMs: number;
}

/** A saga as it is stored: one value, written whole with the events of the commit that made it. */
export interface Saga<State extends string = string, Data = unknown, Name extends string = string> {
  readonly state: State;
  readonly data: Data;
  readonly enteredAtMs: number;
  /** Sequence of the last event in its log. */
  readonly sequence: number;
  readonly pending: readonly PendingCommand<Name>[];
  /** How often each command was issued: the `n` of its effect id. */
  readonly issued: Readonly<Record<string, number>>;
  /** What settled each effect, as `command:result`; an outcome that says the same again is a duplicate. No queries. */
  readonly settled: Readonly<Record<string, string>>;
  /** How the commands of the present state have ended, for states that wait for several. */
  readonly results: Readonly<Record<string, Result>>;
  /** Effects that were given up with no answer: a person's retry sends them again, under their own ids. */
  readonly spent?: readonly PendingCommand<Name>[];
  /** How often each question had been asked when a person began its schedule anew. */
  readonly askedBefore?: Readonly<Record<string, number>>;
  /** A person's last move: the same once more is answered, not made. */
  readonly lastMove?: OperatorMove;
}

/** What a person does about a saga that needs attention (decision 0052). */
export interface OperatorMove {
  /** `resolve`: the person has found out what is true, and states it. */
  readonly kind: 'retry' | 'resolve';
  readonly resolution?: string;
  readonly providerReference?: string;
  readonly actor: string;
  readonly reason: string;
}

export interface CommandSpec<Data, Name extends string = string> {
  readonly name: Name;
  /** By what is known, and by the state that has issued it. */
  readonly type: (data: Data, state: string) => EventType;
  readonly payload: (data: Data, context: StepContext, state: string) => Record<string, unknown>;
  /** May rightly be issued more than once: its effect ids end in `.1`, `.2`, … */
  readonly repeats?: boolean;
  /** A provider may echo its effect id without the number: what is sent under one key must be the same each time. */
  readonly isEchoed?: boolean;
  /** A question, not an effect: dropped when the saga moves on, and waits for its schedule before it is asked. */
  readonly waitMs?: (policy: SagaPolicy, issuedBefore: number) => number;
  /**
   * A person's retry may issue it again. Given up with no answer it may have acted: it is kept, and sent again under its
   * own effect id. Refused, that id stays refused for ever (L6): the next ones end in `.r2`, `.r3`, …
   */
  readonly retriable?: boolean;
  /** A direct call to another object, not a message; sent again just the same. */
  readonly isCall?: boolean;
  /**
   * First told with the run that its commit closes: the record's consumer hands it on where there is anybody to tell, and says so
   * where there is nobody (decision 0066). Sent again, it is a message of its own.
   */
  readonly goesWithRun?: boolean;
  /** How long with no outcome heard before it is sent again. Absent: the policy's `resend`. */
  readonly resend?: (policy: SagaPolicy) => Backoff;
  /** Until when it is tried; past that its result is `spent`. Absent: for ever, since its consumer is ours. */
  readonly giveUpAtMs?: (saga: Saga<string, Data>, command: PendingCommand, policy: SagaPolicy) => number;
}

/** What a rule's guard and its learning may look at. */
export interface RuleContext<Data> extends StepContext {
  readonly saga: Saga<string, Data>;
  readonly fact: Fact | null;
  /** The command that the result is of, while it is pending. */
  readonly command: PendingCommand | null;
  /** A person's move, where the rule is one of a move's. */
  readonly move?: OperatorMove;
}

export interface Rule<State extends string, Data, Name extends string> {
  /** The rule holds only when this is true; the first rule that holds is taken. Its name is its documentation. */
  readonly when?: (context: RuleContext<Data>) => boolean;
  /** The next state. Absent: the saga stays. */
  readonly to?: State;
  readonly learn?: (data: Data, context: RuleContext<Data>) => Data;
  /** Metrics events that are counted by this transition. */
  readonly count?: EventType;
  /** Commands to issue besides those of the entered state. */
  readonly send?: readonly Name[];
  /** Staying: the command remains pending and is sent again after its backoff. */
  readonly again?: boolean;
  /** Entering: the commands of the entered state wait so long, in milliseconds, before they are issued. */
  readonly afterMs?: (context: RuleContext<Data>) => number;
  /** Facts recorded by this transition, before those of the entered state. */
  readonly facts?: (data: Data) => readonly NewEvent[];
}

export type Rules<State extends string, Data, Name extends string> = {
  readonly [key in `${Name}:${Result}`]?: readonly Rule<State, Data, Name>[];
};

export interface StateSpec<State extends string, Data, Name extends string> {
  readonly says: string;
  /** Terminal states are never left (S4), but for the way that a table names and gives its reason for. */
  readonly terminal?: boolean;
  readonly mayTurnTo?: readonly State[];
  /** Issued on entering. */
  readonly commands: (data: Data) => readonly Name[];
  readonly on: Rules<State, Data, Name>;
  /** For states that wait for all of their commands: where to go when the last has ended. */
  readonly whenAllEnded?: { readonly done: State; readonly otherwise: State };
  /** Facts recorded on entering. */
  readonly facts?: (data: Data) => readonly NewEvent[];
}

/** What one move does. Its `to` enters a state once more: what of it is done stays done, the rest is tried anew. */
export interface MoveRule<State extends string, Data, Name extends string>
  extends Omit<Rule<State, Data, Name>, 'again' | 'afterMs'> {
  /** Commands whose effects the person states to be there. */
  readonly stated?: readonly Name[];
}

/** The moves that one reason for attention takes. A move with no rule that holds is not possible. */
export interface AttentionMoves<State extends string, Data, Name extends string> {
  readonly says: string;
  readonly retry: readonly MoveRule<State, Data, Name>[];
  /** By what the person states. */
  readonly resolve: Readonly<Record<string, readonly MoveRule<State, Data, Name>[]>>;
}

export interface AttentionSpec<State extends string, Data, Name extends string> {
  /** Why a person is needed, or null. Not only in `needs_attention`: what comes late to a terminal saga needs one too. */
  readonly reasonOf: (saga: Saga<State, Data, Name>) => string | null;
  readonly moves: Readonly<Record<string, AttentionMoves<State, Data, Name>>>;
  /** The fact that a move leaves in the log. */
  readonly fact: (data: Data, reason: string, move: OperatorMove) => NewEvent;
  /** What is known of it no more, once the saga goes on. */
  readonly leave: (data: Data) => Data;
}

export interface NewEvent {
  readonly type: EventType;
  readonly payload: Record<string, unknown>;
  /** May rightly be recorded more than once: its deduplication id ends in its sequence. */
  readonly repeats?: boolean;
}

export interface SagaTable<State extends string, Data, Name extends string> {
  /** Which command a reported fact answers, and with which result. @throws InvariantError for one that answers none. */
  readonly classify: (fact: Fact) => { readonly name: string; readonly result: Result };
  /** Whose log it is; `paymentId` is the payment that it is about, its own or another's. */
  readonly group: (data: Data) => { readonly groupId: string; readonly entityId: string; readonly paymentId: string };
  readonly scope: (data: Data) => Scope;
  readonly idempotencyKey: (data: Data) => string;
  readonly touch: (data: Data, nowMs: number) => Data;
  readonly states: Readonly<Record<State, StateSpec<State, Data, Name>>>;
  readonly commands: Readonly<Record<Name, CommandSpec<Data, Name>>>;
  /** Rules for every state that has none of its own for the outcome. */
  readonly always: Rules<State, Data, Name>;
  /** Whether an older effect of a command stands for the same thing at the other side as its newest one does. */
  readonly isSameEffect: (data: Data, fact: Fact | null) => boolean;
  /** Rules, whatever the state, for late outcomes of an effect that a newer, other one of its command has replaced. */
  readonly superseded: Rules<State, Data, Name>;
  readonly attention: AttentionSpec<State, Data, Name>;
}

export interface StepContext {
  readonly nowMs: number;
  readonly policy: SagaPolicy;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** A fresh UUID. */
  readonly newId: () => string;
  readonly trace: { readonly traceId: string; readonly traceparent: string };
}

export type StepInput =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'timer' }
  /** A delivery that may not be the first asks whether to carry the command out: from now on an unheard one may be out. */
  | { readonly kind: 'asked'; readonly effectId: string }
  /**
   * A command's message became a dead letter: it is due again (our own consumers', and any while another sending is out), or
   * its result is `spent`.
   */
  | { readonly kind: 'died'; readonly effectId: string }
  /** A person asks for a pending command to be sent again now, without waiting for its time. */
  | { readonly kind: 'redrive'; readonly effectId: string }
  | { readonly kind: 'move'; readonly move: OperatorMove };

export interface Step<State extends string, Data, Name extends string> {
  readonly saga: Saga<State, Data, Name>;
  readonly events: readonly Envelope[];
  /** To be handed to their queues once the commit is durable. */
  readonly send: readonly PendingCommand<Name>[];
}
