/**
 * The callbacks of a sandbox provider: which ones a charge or refund causes, and how they are sent: signed, over HTTP, tried
 * a few times, in the order and with the faults that its token asks for. Works over small dependencies; the object
 * brings the store, the clock and the way out.
 */
import {
  type CallbackBody,
  callbackBodySchema,
  SIGNATURE_HEADER,
  sandboxSigningSecret,
} from '../../src/gateway/providers/sandbox-protocol.ts';
import { signCallback } from '../../src/gateway/signature.ts';
import type { Behaviour } from './behaviours.ts';
import { chargeBody, refundBody, SETTLE_AFTER_MS, settleCharge } from './rows.ts';
import type { CallbackRow, ChargeRow, RefundRow } from './schema.ts';
import type { BookStore, DeskBooks } from './store.ts';

/** Between the two of a pair: enough that they are two deliveries. */
const NEXT_AFTER_MS = 150;
/** A callback that is not taken is tried this often; then the charge has to be looked up. */
const ATTEMPTS_MAX = 4;
const RETRY_FIRST_MS = 500;
/** Sent in one turn of the alarm. */
const BATCH_MAX = 50;

/** Stores the callbacks that a charge causes; when the first is due, or null for none. */
export function announceCharge(
  store: DeskBooks,
  provider: string,
  charge: ChargeRow,
  behaviour: Behaviour,
  nowMs: number,
): number | null {
  const isEarly = behaviour.callback === 'before_response';
  const dueAtMs = isEarly ? nowMs : nowMs + SETTLE_AFTER_MS;
  const outcome = isEarly ? charge : settleCharge(charge, behaviour, dueAtMs);
  const send = (body: CallbackBody, atMs: number, forged = false) =>
    store.addCallback(provider, JSON.stringify(body), atMs, forged);
  switch (behaviour.callback) {
    case undefined:
      return null;
    case 'once':
    case 'before_response':
      send(chargeEvent(outcome, 2, dueAtMs), dueAtMs);
      break;
    case 'duplicate':
      send(chargeEvent(outcome, 2, dueAtMs), dueAtMs);
      send(chargeEvent(outcome, 2, dueAtMs), dueAtMs + NEXT_AFTER_MS);
      break;
    case 'out_of_order':
      send(chargeEvent(outcome, 2, dueAtMs), dueAtMs);
      send(chargeEvent(charge, 1, nowMs), dueAtMs + NEXT_AFTER_MS);
      break;
    case 'bad_signature':
      send(chargeEvent(outcome, 2, dueAtMs), dueAtMs, true);
      break;
  }
  return dueAtMs;
}

/** Stores the callback that a pending refund causes; when it is due, or null for none. */
export function announceRefund(
  store: DeskBooks,
  provider: string,
  refund: RefundRow,
  charge: ChargeRow,
  behaviour: Behaviour,
): number | null {
  if (refund.settles_to === null || refund.settles_at_ms === null || behaviour.refund === 'no_callback') return null;
  const data = refundBody({ ...refund, status: refund.settles_to }, charge);
  const event = { id: `evt_${refund.key}`, type: 'refund.updated', created_at_ms: refund.settles_at_ms, data };
  store.addCallback(provider, JSON.stringify(event), refund.settles_at_ms, false);
  return refund.settles_at_ms;
}

/** `n`: which change of the charge it tells of; a redelivery has the same id. */
function chargeEvent(charge: ChargeRow, n: number, atMs: number): CallbackBody {
  return { id: `evt_${charge.key}_${n}`, type: 'charge.updated', created_at_ms: atMs, data: chargeBody(charge) };
}

export interface CallbackPost {
  readonly store: BookStore;
  readonly nowMs: number;
  /** Delivers to our own Worker. */
  readonly post: (request: Request) => Promise<Response>;
}

/** Sends what is due, in the order of due times, and notes what came of it. Never throws for what the receiver does. */
export async function sendDueCallbacks({ store, nowMs, post }: CallbackPost): Promise<void> {
  for (const row of store.dueCallbacks(nowMs, BATCH_MAX)) {
    if (isOvertaken(store, row)) {
      store.setCallback({ ...row, done: 1 });
      continue;
    }
    const status = await statusOf(post, await signedRequest(row, nowMs));
    const attempts = row.attempts + 1;
    const isDone = (status >= 200 && status < 300) || attempts >= ATTEMPTS_MAX;
    const dueAtMs = nowMs + RETRY_FIRST_MS * 2 ** (attempts - 1);
    store.setCallback({ ...row, attempts, last_status: status, due_at_ms: dueAtMs, done: isDone ? 1 : 0 });
  }
}

/** A charge that was voided before it settled: its success is not told, since it never came to be. */
function isOvertaken(store: BookStore, row: CallbackRow): boolean {
  const { data } = callbackBodySchema.parse(JSON.parse(row.body));
  return data.object === 'charge' && store.charge(data.id.replace(/^ch_/, ''))?.status === 'voided';
}

async function signedRequest(row: CallbackRow, nowMs: number): Promise<Request> {
  const body = new Uint8Array(new TextEncoder().encode(row.body));
  const secret = row.forged === 1 ? 'whsec_of_somebody_else' : sandboxSigningSecret(row.provider);
  const signature = await signCallback(secret, Math.floor(nowMs / 1_000), body);
  return new Request(`https://holdfast.invalid/providers/${row.provider}/callbacks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: signature },
    body,
  });
}

async function statusOf(post: CallbackPost['post'], request: Request): Promise<number> {
  try {
    const response = await post(request);
    await response.body?.cancel();
    return response.status;
  } catch {
    // Not delivered, as far as can be told: it is tried again, and receivers take a callback twice.
    return 0;
  }
}
