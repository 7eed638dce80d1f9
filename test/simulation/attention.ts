/**
 * When a person may be called: only where the provider was truly silent, or a compensation has truly failed. A saga that
 * gives up after its budget is justified when every sending of the effect was met by a fault, or by a provider that did not
 * do it; one untouched sending, and it should have gone on by itself (S5).
 */
import { COMPENSATION_TRIES_MIN } from '../../src/domain/limits.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import type { ProviderAnswer } from '../../src/gateway/provider.ts';
import type { Call } from './providers.ts';
import type { Message } from './queues.ts';
import type { Node } from './saga-node.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

/** Effects that are given up some time. */
const GIVEN_UP = ['payment.capture', 'payment.unauthorize', 'payment.refund', 'payment.undo_late'];

export class Attention {
  readonly #world: World;
  readonly #tries = new Map<Node, Message[]>();
  /** How often each was handed over, sent or not: an object can die in between. */
  readonly #handed = new Map<string, number>();
  /** Effects that the provider has refused for good. */
  readonly #refused = new Set<string>();
  readonly #raised = new Set<Node>();

  constructor(world: World) {
    this.#world = world;
  }

  sent(message: Message): void {
    if (!GIVEN_UP.includes(message.step)) return;
    const tries = this.#tries.get(message.node) ?? [];
    tries.push(message);
    this.#tries.set(message.node, tries);
  }

  handed(node: Node, { name, attempts }: PendingCommand): void {
    this.#handed.set(`${node.id} ${node.service}.${name}`, attempts);
  }

  /** Its clock was set, or all that was in flight is gone: what was sent so far has had its fault. */
  disturbed(node: Node): void {
    for (const message of this.#tries.get(node) ?? []) message.touched = true;
  }

  landed({ request }: Call, { kind }: ProviderAnswer): void {
    if (kind === 'refused' || kind === 'absent') this.#refused.add(request.effectId);
  }

  isRaised(node: Node): boolean {
    return this.#raised.has(node);
  }

  justify(node: Node, record: SagaRecord, reason: string): void {
    this.#raised.add(node);
    must(this.#isJustified(node, record, reason), 'S2', () => `${node.id} needs attention for no reason: ${reason}`);
  }

  #isJustified(node: Node, record: SagaRecord, reason: string): boolean {
    switch (reason) {
      case 'authorization_unknown':
        return this.#planOf(node)?.token === 'pm_sim_lost';
      case 'capture_unknown':
        return this.#hasTruly(node, 'payment.capture');
      case 'compensation_failed': {
        const { results } = record.saga;
        const isReleased = results.release === undefined || results.release === 'done';
        return isReleased && (this.#hasTruly(node, 'payment.unauthorize') || this.#hasTruly(node, 'payment.refund'));
      }
      case 'late_authorization_in_force':
        return this.#hasTruly(node, 'payment.undo_late');
      case 'credited_money_is_gone': {
        const { walletId } = this.#world.plan.payments.find(({ refunds }) =>
          refunds.some(({ refundId }) => refundId === node.id),
        ) ?? { walletId: '' };
        return (
          this.#world.wallets.answer(walletId, `orchestrator.wallet.reverse_credit.${node.id}`) === 'insufficient_funds'
        );
      }
      default:
        return false;
    }
  }

  /** Some effect of this step was refused for good, or no sending of it was left alone. */
  #hasTruly(node: Node, step: string): boolean {
    const byEffect = new Map<string, boolean>();
    for (const { step: tried, event, touched } of this.#tries.get(node) ?? []) {
      const effectId = event.metadata.message_deduplication_id;
      if (tried === step) byEffect.set(effectId, (byEffect.get(effectId) ?? true) && touched);
    }
    if (byEffect.size === 0) return (this.#handed.get(`${node.id} ${step}`) ?? 0) >= COMPENSATION_TRIES_MIN;
    return [...byEffect].some(([effectId, allTouched]) => allTouched || this.#refused.has(effectId));
  }

  #planOf(node: Node) {
    return this.#world.plan.payments.find(({ paymentId }) => paymentId === node.id);
  }
}
