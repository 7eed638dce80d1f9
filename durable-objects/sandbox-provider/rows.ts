/**
 * Pure: the rows of a sandbox provider's books: how one begins, how it settles, and how it reads to the outside. What a
 * call may do to them is decided at the desk (`desk.ts`).
 */
import type {
  ChargeBody,
  ChargeRequestBody,
  ErrorBody,
  RefundBody,
  RefundRequestBody,
} from '../../src/gateway/providers/sandbox-protocol.ts';
import type { Behaviour } from './behaviours.ts';
import type { ChargeRow, RefundRow } from './schema.ts';

/** When a pending charge or refund settles and is told: before the first look-up of the sandbox schedule (1 s). */
export const SETTLE_AFTER_MS = 500;

const VERDICTS = { approve: 'authorized', decline: 'declined', pending: 'pending' } as const;

/** Whether `request` is the one that `row` was made by: what a key may be sent with again. */
export function isSameCharge(row: ChargeRow, request: ChargeRequestBody): boolean {
  return (
    row.amount_minor === request.amount &&
    row.currency === request.currency &&
    row.method === request.method &&
    row.token === (request.token ?? null) &&
    row.amount_codes === (request.amount_codes === true ? 1 : 0) &&
    row.payment_id === request.metadata.payment_id
  );
}

/** A charge that no call was taken for yet. */
export function newCharge(key: string, request: ChargeRequestBody, nowMs: number): ChargeRow {
  return {
    key,
    payment_id: request.metadata.payment_id,
    effect_id: request.metadata.effect_id,
    amount_minor: request.amount,
    currency: request.currency,
    method: request.method,
    token: request.token ?? null,
    amount_codes: request.amount_codes === true ? 1 : 0,
    status: 'turned_away',
    first_status: null,
    decline_code: null,
    settles_at_ms: null,
    refunded_minor: 0,
    refunding_minor: 0,
    authorize_calls: 0,
    lookup_calls: 0,
    capture_calls: 0,
    void_calls: 0,
    capture_key: null,
    void_key: null,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
  };
}

export function decide(charge: ChargeRow, behaviour: Behaviour, nowMs: number): ChargeRow {
  const status = VERDICTS[behaviour.verdict];
  const settlesByTime = status === 'pending' && behaviour.pollsPending === undefined;
  return {
    ...charge,
    status,
    first_status: status,
    decline_code: behaviour.declineCode ?? null,
    settles_at_ms: settlesByTime ? nowMs + SETTLE_AFTER_MS : null,
    updated_at_ms: nowMs,
  };
}

export function isDue(row: { readonly settles_at_ms: number | null }, nowMs: number): boolean {
  return row.settles_at_ms !== null && row.settles_at_ms <= nowMs;
}

/** A pending charge as it turns out. */
export function settleCharge(charge: ChargeRow, behaviour: Behaviour, nowMs: number): ChargeRow {
  const status = behaviour.settlesTo ?? 'authorized';
  const declineCode = status === 'declined' ? 'generic_decline' : null;
  return { ...charge, status, decline_code: declineCode, settles_at_ms: null, updated_at_ms: nowMs };
}

/** A wallet's sale is confirmed as a whole and never captured; a card's money is to be had once it is captured. */
export function isRefundable(charge: ChargeRow): boolean {
  return charge.status === 'captured' || (charge.status === 'authorized' && charge.method === 'balance');
}

export function hasRefunds(charge: ChargeRow): boolean {
  return charge.refunded_minor + charge.refunding_minor > 0;
}

export function newRefund(
  key: string,
  charge: ChargeRow,
  request: RefundRequestBody,
  { refund }: Behaviour,
  nowMs: number,
): RefundRow {
  const isPending = refund === 'pending' || refund === 'no_callback';
  const status = isPending ? 'pending' : 'refunded';
  return {
    key,
    charge_key: charge.key,
    effect_id: request.metadata.effect_id,
    amount_minor: request.amount,
    status,
    first_status: status,
    // One that fails is given first and taken back after: a success that does not last.
    settles_to: refund === 'fails' ? 'failed' : isPending ? 'refunded' : null,
    settles_at_ms: isPending || refund === 'fails' ? nowMs + SETTLE_AFTER_MS : null,
    calls: 1,
    created_at_ms: nowMs,
  };
}

/** The charge once `refund` has become what it is: its amount counts as given, on its way, or neither. */
export function withRefund(charge: ChargeRow, before: RefundRow | null, refund: RefundRow, nowMs: number): ChargeRow {
  const share = (row: RefundRow | null, status: RefundRow['status']) => (row?.status === status ? row.amount_minor : 0);
  return {
    ...charge,
    refunded_minor: charge.refunded_minor - share(before, 'refunded') + share(refund, 'refunded'),
    refunding_minor: charge.refunding_minor - share(before, 'pending') + share(refund, 'pending'),
    updated_at_ms: nowMs,
  };
}

/** A charge as the outside sees it. One that was only turned away is not seen at all: callers leave it out. */
export function chargeBody(charge: ChargeRow): ChargeBody {
  const isRefunded = charge.refunded_minor >= charge.amount_minor;
  const status = charge.status === 'turned_away' ? 'pending' : charge.status;
  return {
    object: 'charge',
    id: `ch_${charge.key}`,
    status: isRefunded ? 'refunded' : status,
    amount: charge.amount_minor,
    currency: charge.currency,
    ...(charge.decline_code !== null && { decline_code: charge.decline_code }),
    metadata: { payment_id: charge.payment_id, effect_id: charge.effect_id },
  };
}

export function refundBody(refund: RefundRow, charge: ChargeRow): RefundBody {
  return {
    object: 'refund',
    id: `re_${refund.key}`,
    charge: `ch_${charge.key}`,
    status: refund.status,
    amount: refund.amount_minor,
    metadata: { payment_id: charge.payment_id, effect_id: refund.effect_id },
  };
}

export function errorBody(code: string, declined?: ChargeRow): ErrorBody {
  if (declined === undefined) return { error: { code } };
  return { error: { code, decline_code: declined.decline_code ?? 'generic_decline', charge: `ch_${declined.key}` } };
}
