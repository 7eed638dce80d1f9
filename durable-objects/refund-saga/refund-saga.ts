/**
 * The owner of one refund: claims its idempotency key, has the payment's object set the amount aside, and drives its saga.
 * A shell over the saga host: what a refund does is in the saga's table. The calls to the payment's object are commands
 * like any other, committed before they are made and made again by the alarm. Called by HTTP and the queue consumers.
 */
import { InvariantError } from '../../src/domain/errors.ts';
import type { EventPayload } from '../../src/domain/events/catalogue.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import type { RefundData } from '../../src/domain/refund.ts';
import { REFUND_KIND } from '../../src/domain/refund-view.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { reservedPayload } from '../../src/domain/saga/refund-commands.ts';
import { beginRefund, refundDataOf } from '../../src/domain/saga/refund-saga.ts';
import type { RefundCommand, RefundState } from '../../src/domain/saga/refund-types.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import type { CreateRefund, CreateRefundResult, RefundReservation, RefundSagaRpc } from '../../src/domain/saga-rpc.ts';
import { paymentSagaStub } from '../../src/stubs.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { SagaHost } from '../saga/saga-host.ts';
import { SagaObject } from '../saga/saga-object.ts';

type Refusal = Exclude<RefundReservation, { kind: 'reserved' }>;

export class RefundSaga extends SagaObject<RefundState, RefundData, RefundCommand> implements RefundSagaRpc {
  protected readonly host = new SagaHost(this.ctx, this.env, {
    kind: REFUND_KIND,
    call: (command) => this.#call(command),
  });
  /** The reservation under way, which everybody who sends this key meanwhile waits for; its answer is the refusal, or null. */
  #reserving: Promise<Refusal | null> | null = null;

  /**
   * Claims the key and has the amount reserved. The claim is committed before the payment's object is asked, so that no
   * reservation is ever without its refund; a refusal takes the claim back, and the key is free.
   * @throws what the payment's object throws; the claim stands and the alarm asks again.
   */
  async create(input: CreateRefund): Promise<CreateRefundResult> {
    const id = publicIdFromHex('ref_', this.ctx.id.toString());
    const claim = this.host.claim(input, (context) => beginRefund(refundDataOf(input, id, context.nowMs), context));
    if (claim.kind === 'key_expired' || claim.kind === 'key_reused') return claim;
    const refusal = await this.#reserve();
    if (refusal !== null) return refusal;
    const waited = await this.host.terminalWithin(input.waitMs);
    return { kind: claim.kind, entityId: id, ...this.host.body(), waited };
  }

  /** A call that fails is made again by the alarm: the command is pending until its outcome is in. */
  async #call(command: PendingCommand<RefundCommand>): Promise<void> {
    try {
      if (command.name === 'reserve') await this.#reserve();
      else await this.#settle(command);
    } catch (error) {
      logLine('saga.call_failed', { command: command.name, effect_id: effectIdOf(command), error: errorText(error) });
    }
  }

  /** One reservation at a time, whoever asks for it; null once the amount is reserved. */
  #reserve(): Promise<Refusal | null> {
    this.#reserving ??= this.#reserveOnce().finally(() => {
      this.#reserving = null;
    });
    return this.#reserving;
  }

  async #reserveOnce(): Promise<Refusal | null> {
    const record = this.host.load();
    // Refused while this was waiting to be asked: the claim is gone, and so is the refund.
    if (record === null || record === 'expired') return { kind: 'payment_not_refundable' };
    const { saga } = record;
    if (saga.state !== 'reserving') return null;
    const { refundId, scope, request } = saga.data;
    const payment = paymentSagaStub(this.env, request.payment_id);
    const answer = await payment?.reserveRefund(scope, refundId, request.amount ?? null);
    if (answer === undefined) return this.#refuse({ kind: 'payment_not_found' });
    if (answer.kind !== 'reserved') return this.#refuse(answer);
    const command = saga.pending.find(({ name }) => name === 'reserve');
    const effectId = command === undefined ? null : effectIdOf(command);
    if (effectId === null) throw new InvariantError('reserve_pending', { refund_id: refundId });
    const fact = {
      event_type: 'payment.refund_reserved' as const,
      payload: reservedPayload(request.payment_id, answer),
    };
    this.deliver([{ effect_id: effectId, fact }], false);
    return null;
  }

  #refuse(refusal: Refusal): Refusal {
    this.host.forget();
    return refusal;
  }

  async #settle(command: PendingCommand<RefundCommand>): Promise<void> {
    const { event } = command;
    if (event === null) return;
    const payload = event.payload as EventPayload<'orchestrator.payment.settle_refund'>;
    await paymentSagaStub(this.env, payload.payment_id)?.settleRefund(payload.refund_id, payload.settlement);
    const fact = { event_type: 'payment.refund_settled' as const, payload };
    this.deliver([{ effect_id: event.metadata.message_deduplication_id, fact }], false);
  }
}
