/**
 * The payment's table under answers in any order and of any kind, as no honest provider and no wallet would give them: charges
 * that were "not sent", refusals taken back, what was left that charges after all. Whether the books agree then is nobody's
 * promise (test/domain/engine.property.test.ts has worlds that keep theirs); that the saga says what it knows is.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventPayload, GatewayStatus } from '../../src/domain/events/catalogue.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentRequest } from '../../src/domain/payment.ts';
import { possibleMoves } from '../../src/domain/saga/operator.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { PAYMENT_SAGA } from '../../src/domain/saga/payment-saga.ts';
import { gatewayFact, SagaDriver, walletFact } from '../support/saga.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 20261124);
const RUNS = Number(process.env.HOLDFAST_RUNS ?? 3_000);

type Operation = Parameters<typeof gatewayFact>[0];
const NEVER_SURE = ['PENDING', 'UNKNOWN', 'NOT_SENT'] as const;
const SAYS: Readonly<Record<Operation, readonly GatewayStatus[]>> = {
  authorize: ['AUTHORIZED', 'CAPTURED', 'UNAUTHORIZED', ...NEVER_SURE],
  lookup: ['AUTHORIZED', 'UNAUTHORIZED', 'ABSENT', ...NEVER_SURE],
  capture: ['CAPTURED', 'UNAUTHORIZED', ...NEVER_SURE],
  unauthorize: ['VOIDED', 'VOID_FAILED', 'ABSENT', ...NEVER_SURE],
  refund: ['REFUNDED', 'REFUND_FAILED', ...NEVER_SURE],
};
const WAITS_MS = [SECOND_MS, 40 * SECOND_MS, 3 * MINUTE_MS, HOUR_MS, 73 * HOUR_MS] as const;

interface Action {
  readonly kind: number;
  readonly pick: number;
  readonly to: number;
}

/** One payment, and who answers it. A wallet says of one effect the same for ever (L6); a provider says what it likes. */
class Talk {
  readonly driver: SagaDriver;
  readonly states: string[] = [];
  readonly #wallet = new Map<string, Fact>();

  constructor(request: Partial<PaymentRequest>) {
    this.driver = new SagaDriver(request);
  }

  act({ kind, pick, to }: Action): void {
    const { sent } = this.driver;
    // Mostly of what was sent last.
    const index = kind < 5 ? sent.length - 1 - (to % Math.min(3, sent.length)) : to % sent.length;
    if (kind < 7) this.#answer(sent[index]?.event ?? null, pick);
    else if (kind === 9) this.#move(pick, `${pick}.${to}`);
    else this.driver.wait(WAITS_MS[pick % WAITS_MS.length] ?? 0);
    if (this.states.at(-1) !== this.driver.saga.state) this.states.push(this.driver.saga.state);
  }

  #answer(event: Envelope | null, pick: number): void {
    const [, service = '', action = ''] = event?.event_type.split('.') ?? [];
    if (event === null || service === 'notify') return;
    const effectId = event.metadata.message_deduplication_id;
    const fact = service === 'wallet' ? this.#walletSays(effectId, action, pick) : gatewaySays(event, action, pick);
    this.driver.take({ kind: 'outcome', outcome: { effect_id: effectId, fact } });
  }

  #walletSays(effectId: string, action: string, pick: number): Fact {
    const command = { hold_funds: 'hold', debit: 'debit', release_funds: 'release' }[action] as 'hold';
    const fact = this.#wallet.get(effectId) ?? walletFact(command, pick % 4 === 0 ? 'wallet_frozen' : undefined);
    this.#wallet.set(effectId, fact);
    return fact;
  }

  #move(pick: number, reason: string): void {
    const { driver } = this;
    const { retry, resolve } = possibleMoves(PAYMENT_SAGA, driver.saga, driver.context());
    const resolution = resolve[pick % (resolve.length + 1)];
    const by = { actor: 'jane', reason };
    if (resolution !== undefined) driver.take({ kind: 'move', move: { kind: 'resolve', resolution, ...by } });
    else if (retry) driver.take({ kind: 'move', move: { kind: 'retry', ...by } });
  }
}

function gatewaySays({ payload }: Envelope, action: string, pick: number): Fact {
  const operation = action as Operation;
  const { provider } = payload as EventPayload<'orchestrator.gateway.capture'>;
  const gateway_status = SAYS[operation][pick % SAYS[operation].length] ?? 'UNKNOWN';
  return gatewayFact(operation, { gateway_status, ...(provider !== undefined && { provider }) });
}

const WHY: Readonly<Record<string, string>> = {
  authorizing: 'authorization_unknown',
  authorization_unknown: 'authorization_unknown',
  capturing: 'capture_unknown',
  releasing_funds: 'release_refused',
  compensating: 'compensation_failed',
};

/** Asks of a log, and of what was sent, what is true of every payment. */
function check({ driver: { saga, events, sent }, states }: Talk): void {
  const ids = events.map(({ metadata }) => metadata.message_deduplication_id);
  expect(new Set(ids).size).toBe(ids.length);
  const types = events.map(({ event_type: type }) => type);
  const told = types.filter((type) => type.startsWith('orchestrator.notify.'));
  const end = events.find(({ event_type: type }) => type === 'payment.completed' || type === 'payment.failed');
  expect(end !== undefined).toBe(PAYMENT_SAGA.states[saga.state].terminal === true);
  if (end === undefined) expect(told).toEqual([]);
  else expect(told).toEqual([`orchestrator.notify.payment_${saga.state === 'failed' ? 'failure' : 'success'}`]);
  // Nobody is asked to charge for what has ended.
  const endedAt = end?.metadata.sequence ?? Number.POSITIVE_INFINITY;
  const asked = sent.filter(({ name }) => name === 'authorize').map(({ event }) => event?.metadata.sequence ?? 0);
  for (const sequence of asked) expect(sequence).toBeLessThan(endedAt);
  // Why it waits for a person is where it came from.
  if (saga.state === 'needs_attention') expect(PAYMENT_SAGA.attention.reasonOf(saga)).toBe(WHY[states.at(-2) ?? '']);
}

test('whatever is answered, in any order, a payment says why it waits, ends for a reason, and is told as it ends', () => {
  const action = fc.record({ kind: fc.nat(9), pick: fc.nat(200), to: fc.nat(200) });
  const request = fc.constantFrom({}, { method: 'credit_card', token: 'pm_card_visa' } as const);
  const waited = new Set<string>();
  fc.assert(
    fc.property(request, fc.array(action, { minLength: 5, maxLength: 40 }), (asked, actions) => {
      const talk = new Talk(asked);
      for (const each of actions) {
        talk.act(each);
        check(talk);
        const { saga } = talk.driver;
        if (saga.state === 'needs_attention') waited.add(PAYMENT_SAGA.attention.reasonOf(saga) ?? '');
      }
      for (const event of talk.driver.events) expect(decodeEvent(event)).toMatchObject({ ok: true });
    }),
    { seed: SEED, numRuns: RUNS },
  );
  // It has met what it is about.
  expect(waited).toEqual(new Set(Object.values(WHY)));
});
