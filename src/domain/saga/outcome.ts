/**
 * Pure: what a consumer reports to a saga, and how a reported fact reads as a result of one of the saga's commands.
 * Unknown is a result of its own and never reads as refused (S8).
 */
import type { Spent } from '../cost/spent.ts';
import { InvariantError } from '../errors.ts';
import type { EventPayload, EventType, GatewayStatus } from '../events/catalogue.ts';

/**
 * done: it took effect · refused: it did not, for good · pending: the provider will say later · unknown: it may have
 * taken effect · not_sent: it provably did not reach anyone · absent: a look-up found nothing · spent: given up.
 */
export type Result = 'done' | 'refused' | 'pending' | 'unknown' | 'not_sent' | 'absent' | 'spent';

export interface Fact<Type extends EventType = EventType> {
  readonly event_type: Type;
  readonly payload: EventPayload<Type>;
}

/** One outcome of one effect. */
export interface Outcome {
  readonly effect_id: string;
  readonly fact: Fact;
  /** How long the other side asks to be left alone, in milliseconds. */
  readonly retryAfterMs?: number;
  /** What finding it out has cost; no part of what it says. */
  readonly spent?: Spent;
}

/** Facts that answer one command with one result, by their type alone. */
const RESULTS: Readonly<Partial<Record<EventType, { name: string; result: Result }>>> = {
  'wallet.hold_funds': { name: 'hold', result: 'done' },
  'wallet.hold_funds_failed': { name: 'hold', result: 'refused' },
  'wallet.debit': { name: 'debit', result: 'done' },
  'wallet.debit_failed': { name: 'debit', result: 'refused' },
  'wallet.release_funds': { name: 'release', result: 'done' },
  'wallet.release_funds_failed': { name: 'release', result: 'refused' },
  'wallet.credit': { name: 'credit', result: 'done' },
  'wallet.credit_failed': { name: 'credit', result: 'refused' },
  'wallet.reverse_credit': { name: 'reverse', result: 'done' },
  'wallet.reverse_credit_failed': { name: 'reverse', result: 'refused' },
  'payment.refund_reserved': { name: 'reserve', result: 'done' },
  'payment.refund_settled': { name: 'settle', result: 'done' },
};

/** What each gateway status means as the answer to an effect. */
const GATEWAY_RESULTS: Readonly<Record<GatewayStatus, Result>> = {
  AUTHORIZED: 'done',
  CAPTURED: 'done',
  VOIDED: 'done',
  REFUNDED: 'done',
  UNAUTHORIZED: 'refused',
  VOID_FAILED: 'refused',
  REFUND_FAILED: 'refused',
  PENDING: 'pending',
  UNKNOWN: 'unknown',
  NOT_SENT: 'not_sent',
  ABSENT: 'absent',
};

/** To a payment, a look-up that finds the charge voided or refunded has found that nothing is in force: as if declined. */
const PAYMENT_LOOKUP_RESULTS: Readonly<Record<GatewayStatus, Result>> = {
  ...GATEWAY_RESULTS,
  VOIDED: 'refused',
  REFUNDED: 'refused',
};

/** @throws InvariantError for a fact that answers no command: consumers report only those that do. */
export function classifyForPayment(fact: Fact): { readonly name: string; readonly result: Result } {
  return classify(fact, PAYMENT_LOOKUP_RESULTS);
}

/** To a refund, a look-up is about the refund: what it finds is what became of it. @throws as for a payment. */
export function classifyForRefund(fact: Fact): { readonly name: string; readonly result: Result } {
  return classify(fact, GATEWAY_RESULTS);
}

function classify(fact: Fact, lookups: Readonly<Record<GatewayStatus, Result>>) {
  if (fact.event_type === 'payment_gateway.response') {
    const { operation, gateway_status: status } = fact.payload as EventPayload<'payment_gateway.response'>;
    return { name: operation, result: (operation === 'lookup' ? lookups : GATEWAY_RESULTS)[status] };
  }
  const found = RESULTS[fact.event_type];
  if (found === undefined) throw new InvariantError('fact_answers_command', { type: fact.event_type });
  return found;
}
