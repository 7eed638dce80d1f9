/**
 * The desk of a sandbox provider: what it answers to a call, and what it books. Never kinder than a real provider: a key
 * answers the same for ever and refuses another body, and what the books do not allow is refused. How a token bends
 * this is data (`behaviours.ts`). Synchronous, so each call is one commit; called by the object for each request.
 */
import type {
  ChargeBody,
  ChargeRequestBody,
  ErrorBody,
  RefundBody,
  RefundRequestBody,
} from '../../src/gateway/providers/sandbox-protocol.ts';
import { type Behaviour, behaviourOf } from './behaviours.ts';
import { announceCharge, announceRefund } from './callbacks.ts';
import {
  chargeBody,
  decide,
  errorBody,
  hasRefunds,
  isDue,
  isRefundable,
  isSameCharge,
  newCharge,
  newRefund,
  refundBody,
  settleCharge,
  withRefund,
} from './rows.ts';
import type { ChargeRow, RefundRow } from './schema.ts';
import type { DeskBooks } from './store.ts';

export interface Reply {
  readonly status: number;
  readonly body: ChargeBody | RefundBody | ErrorBody;
  readonly retryAfterSeconds?: number;
  /** Time before the answer leaves; what was booked stays booked. */
  readonly waitMs?: number;
  /** When the first of the callbacks that this call has caused is to be sent. */
  readonly callbackAtMs?: number;
}

/** Longer than any caller of a sandbox provider waits (PROVIDER_TIMEOUT_MS.sandbox). */
export const LOST_ANSWER_MS = 3_000;

export class Desk {
  readonly #provider: string;
  readonly #store: DeskBooks;

  constructor(provider: string, store: DeskBooks) {
    this.#provider = provider;
    this.#store = store;
  }

  /** Checks, in order: never received → key known with another body → key known → turned away → decided. */
  authorize(key: string, request: ChargeRequestBody, nowMs: number): Reply {
    const fresh = newCharge(key, request, nowMs);
    const behaviour = this.#behaviour(fresh);
    if (behaviour.neverReceived === true) return { ...refusal(500, 'never_received'), waitMs: LOST_ANSWER_MS };
    const known = this.#store.charge(key) ?? fresh;
    // A call that was turned away left nothing: the one that is taken is the one that its callbacks speak of.
    const effectId = known.first_status === null ? fresh.effect_id : known.effect_id;
    const counted = { ...known, effect_id: effectId, authorize_calls: known.authorize_calls + 1 };
    if (!isSameCharge(known, request)) {
      this.#store.putCharge(counted);
      return refusal(409, 'idempotency_key_reused');
    }
    if (known.first_status !== null) {
      this.#store.putCharge(counted);
      return decisionReply({ ...counted, status: known.first_status });
    }
    if (isTurnedAway(behaviour, counted, nowMs)) {
      this.#store.putCharge(counted);
      return turnedAway(behaviour);
    }
    const decided = decide(counted, behaviour, nowMs);
    this.#store.putCharge(decided);
    const callbackAtMs = announceCharge(this.#store, this.#provider, decided, behaviour, nowMs);
    return { ...bent(decisionReply(decided), behaviour), ...(callbackAtMs !== null && { callbackAtMs }) };
  }

  /** Refused, in order: unknown charge → captured under another key → not authorized. */
  capture(idOrKey: string, key: string, nowMs: number): Reply {
    const charge = this.#settled(idOrKey, nowMs);
    if (charge === null) return refusal(404, 'not_found');
    const counted = { ...charge, capture_calls: charge.capture_calls + 1 };
    if (charge.capture_key === null && charge.status === 'authorized') {
      const captured: ChargeRow = { ...counted, status: 'captured', capture_key: key, updated_at_ms: nowMs };
      this.#store.putCharge(captured);
      return chargeReply(captured);
    }
    this.#store.putCharge(counted);
    if (charge.capture_key !== key) return refusal(422, `charge_${charge.status}`);
    return { status: 200, body: { ...chargeBody(charge), status: 'captured' } };
  }

  /** Refused, in order: unknown charge → the token's failing voids → voided under another key → not in force any more. */
  void(idOrKey: string, key: string, nowMs: number): Reply {
    const charge = this.#settled(idOrKey, nowMs);
    if (charge === null) return refusal(404, 'not_found');
    const counted = { ...charge, void_calls: charge.void_calls + 1 };
    if (counted.void_calls <= (this.#behaviour(charge).voidsFailing ?? 0)) {
      this.#store.putCharge(counted);
      return refusal(500, 'processing_error');
    }
    const isVoidable = (charge.status === 'authorized' || charge.status === 'pending') && !hasRefunds(charge);
    if (isVoidable) {
      const ended = { status: 'voided', void_key: key, settles_at_ms: null, updated_at_ms: nowMs } as const;
      this.#store.putCharge({ ...counted, ...ended });
      return chargeReply({ ...counted, ...ended });
    }
    this.#store.putCharge(counted);
    if (charge.void_key === key) return chargeReply(counted);
    return refusal(422, hasRefunds(charge) ? 'charge_refunded' : `charge_${charge.status}`);
  }

  /** Refused, in order: unknown charge → key known with another body → nothing to give back → more than is left. */
  refund(idOrKey: string, key: string, request: RefundRequestBody, nowMs: number): Reply {
    const charge = this.#settled(idOrKey, nowMs);
    if (charge === null) return refusal(404, 'not_found');
    const known = this.#store.refund(key);
    if (known !== null) {
      this.#store.putRefund({ ...known, calls: known.calls + 1 });
      const isSame = known.amount_minor === request.amount && known.charge_key === charge.key;
      if (!isSame) return refusal(409, 'idempotency_key_reused');
      return refundReply({ ...known, status: known.first_status }, charge);
    }
    if (!isRefundable(charge)) return refusal(422, `charge_${charge.status}`);
    const leftMinor = charge.amount_minor - charge.refunded_minor - charge.refunding_minor;
    if (request.amount > leftMinor) return refusal(422, 'amount_exceeds_charge');
    const behaviour = this.#behaviour(charge);
    const refund = newRefund(key, charge, request, behaviour, nowMs);
    this.#store.putRefund(refund);
    this.#store.putCharge(withRefund(charge, null, refund, nowMs));
    const callbackAtMs = announceRefund(this.#store, this.#provider, refund, charge, behaviour);
    const waitMs = behaviour.refund === 'answer_lost' ? LOST_ANSWER_MS : undefined;
    return {
      ...refundReply(refund, charge),
      ...(waitMs !== undefined && { waitMs }),
      ...(callbackAtMs !== null && { callbackAtMs }),
    };
  }

  /** What the books say of the charge under `key`, as far as its token lets them. */
  findCharge(key: string, nowMs: number): Reply {
    const charge = this.#settled(key, nowMs);
    if (charge === null) return refusal(404, 'not_found');
    const counted = { ...charge, lookup_calls: charge.lookup_calls + 1 };
    const behaviour = this.#behaviour(charge);
    const { pollsFailing = 0, pollsPending } = behaviour;
    const hasWaited = pollsPending !== undefined && counted.lookup_calls > pollsPending;
    const found = charge.status === 'pending' && hasWaited ? settleCharge(counted, behaviour, nowMs) : counted;
    this.#store.putCharge(found);
    return counted.lookup_calls <= pollsFailing ? refusal(500, 'processing_error') : chargeReply(found);
  }

  findRefund(key: string, nowMs: number): Reply {
    const refund = this.#store.refund(key);
    const charge = refund === null ? null : this.#store.charge(refund.charge_key);
    if (refund === null || charge === null) return refusal(404, 'not_found');
    return refundReply(this.settleRefund(refund, charge, nowMs), charge);
  }

  /** The refund as it stands by now, booked: one that has failed can be given again. */
  settleRefund(refund: RefundRow, charge: ChargeRow, nowMs: number): RefundRow {
    if (refund.settles_to === null || !isDue(refund, nowMs)) return refund;
    const settled: RefundRow = { ...refund, status: refund.settles_to, settles_to: null, settles_at_ms: null };
    this.#store.putRefund(settled);
    this.#store.putCharge(withRefund(charge, refund, settled, nowMs));
    return settled;
  }

  /** The charge as it stands by now, not booked. */
  settledCharge(charge: ChargeRow, nowMs: number): ChargeRow {
    return isDue(charge, nowMs) ? settleCharge(charge, this.#behaviour(charge), nowMs) : charge;
  }

  /** A charge that was only ever turned away is none. */
  #settled(idOrKey: string, nowMs: number): ChargeRow | null {
    const charge = this.#store.charge(idOrKey.replace(/^ch_/, ''));
    return charge === null || charge.status === 'turned_away' ? null : this.settledCharge(charge, nowMs);
  }

  #behaviour({ token, amount_minor: amountMinor, amount_codes: amountCodes }: ChargeRow): Behaviour {
    return behaviourOf(this.#provider, { token, amountMinor, amountCodes: amountCodes === 1 });
  }
}

/** `charge`: counted, this call included. */
function isTurnedAway({ turnAway }: Behaviour, charge: ChargeRow, nowMs: number): boolean {
  if (turnAway === undefined) return false;
  const isWithinCalls = charge.authorize_calls <= (turnAway.calls ?? 0);
  return isWithinCalls || nowMs < charge.created_at_ms + (turnAway.forMs ?? 0);
}

function turnedAway({ turnAway }: Behaviour): Reply {
  if (turnAway?.as !== 'rate_limited') return refusal(503, 'not_processed');
  return { ...refusal(429, 'rate_limited'), retryAfterSeconds: Math.ceil((turnAway.forMs ?? 0) / 1_000) };
}

function bent(reply: Reply, { answerLost, delayMs }: Behaviour): Reply {
  if (answerLost === 'timeout') return { ...reply, waitMs: LOST_ANSWER_MS };
  if (answerLost === 'http_500') return refusal(500, 'processing_error');
  return delayMs === undefined ? reply : { ...reply, waitMs: delayMs };
}

/** A decline is an error to whoever asked for the charge, and a plain fact to whoever looks it up. */
function decisionReply(charge: ChargeRow): Reply {
  return charge.status === 'declined' ? { status: 402, body: errorBody('card_declined', charge) } : chargeReply(charge);
}

function chargeReply(charge: ChargeRow): Reply {
  return { status: 200, body: chargeBody(charge) };
}

function refundReply(refund: RefundRow, charge: ChargeRow): Reply {
  return { status: 200, body: refundBody(refund, charge) };
}

export function refusal(status: number, code: string): Reply {
  return { status, body: errorBody(code) };
}
