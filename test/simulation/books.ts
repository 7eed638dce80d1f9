/**
 * Our books against the providers' and the wallets' (S1, S3, S5, S8 as things happen; X2 at the end, line by line). What is
 * compared with is never what a saga believes.
 */
import type { PaymentData } from '../../src/domain/payment.ts';
import type { RefundData } from '../../src/domain/refund.ts';
import { providerKey } from '../../src/gateway/keys.ts';
import type { ProviderAnswer } from '../../src/gateway/provider.ts';
import type { PaymentPlan } from './plan.ts';
import { type Call, isInForce } from './providers.ts';
import type { Node } from './saga-node.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

const DENIED: readonly ProviderAnswer['kind'][] = ['declined', 'refused', 'voided', 'refunded'];

export class Books {
  readonly #world: World;
  /** Charges that landed when no saga could count on them any more: what is told late is undone late. */
  readonly #tooLate = new Set<string>();
  /** Payments that a provider has really said no to. */
  readonly #denied = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  landed(call: Call, provider: string, answer: ProviderAnswer, isTooLate: boolean): void {
    const { paymentId } = call.request;
    if (DENIED.includes(answer.kind) && call.operation !== 'refund') this.#denied.add(paymentId);
    if (call.operation !== 'authorize') return;
    if (isTooLate) this.#tooLate.add(`${provider} ${call.request.key}`);
    const inForce = this.#inForce(paymentId);
    must(
      inForce.length <= 1,
      'S1',
      () =>
        `${paymentId} is in force ${inForce.length} times: ${inForce.map((each) => `${each.provider} ${each.row.key}`)}`,
    );
  }

  /** A payment has changed its state. */
  paymentIs(paymentId: string, state: string, data: PaymentData): void {
    if (data.failure?.code === 'gateway_declined') {
      const isDeclined = this.#world.providers
        .chargesOf(paymentId, this.#world.nowMs)
        .some(({ row }) => row.status === 'declined');
      must(
        isDeclined || this.#denied.has(paymentId),
        'S8',
        () => `${paymentId} is taken for declined, and no provider has said so`,
      );
    }
    if (state === 'completed') this.#completed(paymentId, data);
    if (state === 'failed') this.#failed(paymentId, data);
  }

  refundIs(refundId: string, state: string, data: RefundData): void {
    const { payment } = data;
    if (payment === null || payment.provider === null) return;
    const status = this.#refundStatus(payment.provider, refundId);
    if (state === 'completed') {
      // What it takes back again it has given.
      must(
        status === 'refunded' || status === 'failed',
        'S3',
        () => `${refundId} is completed, and ${status} at ${payment.provider}`,
      );
      const effect = `orchestrator.wallet.credit.${refundId}`;
      const credited = this.#world.wallets.answer(payment.walletId, effect);
      if (payment.method === 'balance') {
        must(Number(credited) > 0, 'S3', () => `${refundId} is completed, and its credit is ${credited}`);
      }
    }
    if (state === 'failed')
      must(
        status === 'absent' || status === 'failed',
        'S3',
        () => `${refundId} is failed, and ${status} at ${payment.provider}`,
      );
  }

  /** X2. @param isRaised whether a person was called: then it is that person's turn to make the books agree. */
  compare(isRaised: (node: Node) => boolean): void {
    for (const plan of this.#world.plan.payments) {
      const node = this.#world.payments.get(plan.paymentId);
      const record = node?.record() ?? null;
      if (node === undefined || record === null) continue;
      // A refund whose success was taken back, and its credit spent, is a person's turn, and so is what it was of.
      const refunds = plan.refunds.flatMap(({ refundId }) => this.#world.refunds.get(refundId) ?? []);
      const isSettled = ![node, ...refunds].some(isRaised);
      if (isSettled) this.#comparePayment(plan, record.saga.state, record.saga.data);
      this.#compareRefunds(plan, record.saga.data, isRaised);
    }
  }

  #comparePayment(plan: PaymentPlan, state: string, data: PaymentData): void {
    const { paymentId } = plan;
    const inForce = this.#world.providers.chargesOf(paymentId, this.#world.nowMs).filter(({ row }) => isInForce(row));
    const isRefunded = data.refundedAmount === data.request.amount;
    const wanted = state === 'completed' && !isRefunded ? 1 : 0;
    must(inForce.length === wanted, 'X2', () => `${paymentId} is ${state}, and in force ${inForce.length} times`);
    must(
      !this.#world.wallets.isHeld(plan.walletId, paymentId),
      'X2',
      () => `${paymentId} is ${state}, and its hold is open`,
    );
    if (state === 'completed') this.#completed(paymentId, data);
    const isApproved = !/declin|fraud/i.test(plan.token ?? '');
    must(isApproved || state === 'failed', 'S7', () => `${paymentId} is ${state}, with a token that declines`);
  }

  #compareRefunds(plan: PaymentPlan, data: PaymentData, isRaised: (node: Node) => boolean): void {
    const world = this.#world;
    let completedMinor = 0;
    let creditedMinor = 0;
    let isOpen = false;
    for (const { refundId } of plan.refunds) {
      const node = world.refunds.get(refundId);
      const record = node?.record() ?? null;
      if (node === undefined || record === null) {
        const kept = data.refunds[refundId];
        must(kept === undefined, 'S10', () => `${refundId} is refused, and its amount is ${kept?.state}`);
        continue;
      }
      const { state, data: refund } = record.saga;
      const amountMinor = refund.payment?.amountMinor ?? 0;
      const status = this.#refundStatus(refund.payment?.provider ?? '', refundId);
      if (isRaised(node)) isOpen = true;
      else {
        const wanted = state === 'completed' ? ['refunded'] : ['absent', 'failed'];
        must(wanted.includes(status), 'X2', () => `${refundId} is ${state}, and ${status} at its provider`);
        const kept = data.refunds[refundId]?.state;
        must(
          kept === (state === 'completed' ? 'completed' : 'released'),
          'S10',
          () => `${refundId} is ${state}, and ${kept} at its payment`,
        );
      }
      if (state !== 'completed') continue;
      completedMinor += amountMinor;
      if (refund.payment?.method === 'balance') creditedMinor += amountMinor;
    }
    if (isOpen) return;
    must(
      data.refundedAmount === completedMinor,
      'S10',
      () => `${plan.paymentId}: ${data.refundedAmount} counted, ${completedMinor} refunded`,
    );
    const isDebited = world.wallets.resolution(plan.walletId, plan.paymentId) === 'debited';
    const settledMinor = world.wallets.settledMinor(plan.walletId, plan.paymentId);
    const wantedMinor = isDebited ? data.request.amount - creditedMinor : 0;
    must(
      settledMinor === wantedMinor,
      'X2',
      () => `${plan.paymentId}: ${settledMinor} settled in the wallet, ${wantedMinor} due`,
    );
  }

  /** S3: the hold is debited, and one provider, the one that we name, has our amount. */
  #completed(paymentId: string, data: PaymentData): void {
    const { wallet_id: walletId, method, amount } = data.request;
    if (method === 'balance') {
      const how = this.#world.wallets.resolution(walletId, paymentId);
      must(how === 'debited', 'S3', () => `${paymentId} is completed, and its hold ${how ?? 'open'}`);
    }
    const charges = this.#world.providers.chargesOf(paymentId, this.#world.nowMs);
    const ours = charges.find(({ provider }) => provider === data.provider)?.row;
    const wanted = method === 'balance' ? ['authorized', 'captured'] : ['captured'];
    const isOurs = ours !== undefined && wanted.includes(ours.status) && ours.amount_minor === amount;
    must(
      isOurs,
      'S3',
      () => `${paymentId} is completed, and ${ours?.status} with ${ours?.amount_minor} at ${data.provider}`,
    );
  }

  /** S3: no hold is open, and nothing is in force. */
  #failed(paymentId: string, data: PaymentData): void {
    const { wallets } = this.#world;
    const { wallet_id: walletId } = data.request;
    must(!wallets.isHeld(walletId, paymentId), 'S3', () => `${paymentId} is failed, and its hold is open`);
    must(
      wallets.resolution(walletId, paymentId) !== 'debited',
      'S3',
      () => `${paymentId} is failed, and its hold debited`,
    );
    const [inForce] = this.#inForce(paymentId);
    must(inForce === undefined, 'S3', () => `${paymentId} is failed, and in force at ${inForce?.provider}`);
  }

  #inForce(paymentId: string) {
    return this.#world.providers
      .chargesOf(paymentId, this.#world.nowMs)
      .filter(({ provider, row }) => isInForce(row) && !this.#tooLate.has(`${provider} ${row.key}`));
  }

  #refundStatus(provider: string, refundId: string): 'absent' | 'pending' | 'refunded' | 'failed' {
    if (provider === '') return 'absent';
    const key = providerKey(refundId, 'refund', provider);
    return this.#world.providers.of(provider).refundOf(key, this.#world.nowMs)?.status ?? 'absent';
  }
}
