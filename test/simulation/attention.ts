/**
 * When a person may be called: only where the provider was truly silent, or a compensation has truly failed. A saga that
 * gives up after its budget is justified when every sending of the effect was met by a fault, or by a provider that did not
 * do it; one untouched sending, and it should have gone on by itself (S5). And it has been told so often enough: what was only
 * lost is no reason before the late window has closed (decision 0091).
 */
import { COMPENSATION_TRIES_MIN } from '../../src/domain/limits.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
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

interface Handed {
  readonly node: Node;
  readonly step: string;
  readonly attempts: number;
  readonly firstSentAtMs: number;
}

export class Attention {
  readonly #world: World;
  readonly #tries = new Map<Node, Message[]>();
  /** Of each effect, when it was first handed over; sent or not: an object can die in between. */
  readonly #handed = new Map<string, Handed>();
  /** How often a saga was told of an effect that it was in vain: by an answer, or by its dead letter. */
  readonly #told = new Map<string, number>();
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

  handed(node: Node, command: PendingCommand): void {
    const effectId = effectIdOf(command);
    const { name, attempts, firstSentAtMs } = command;
    if (effectId !== null && firstSentAtMs !== null)
      this.#handed.set(effectId, { node, step: `${node.service}.${name}`, attempts, firstSentAtMs });
  }

  told(effectId: string): void {
    this.#told.set(effectId, (this.#told.get(effectId) ?? 0) + 1);
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

  /** Some effect of this step was refused for good, or no sending of it was left alone and it was tried for long enough. */
  #hasTruly(node: Node, step: string): boolean {
    const untouched = new Set<string>();
    for (const { step: tried, event, touched } of this.#tries.get(node) ?? []) {
      if (tried === step && !touched) untouched.add(event.metadata.message_deduplication_id);
    }
    return [...this.#handed].some(([effectId, handed]) => {
      if (handed.node !== node || handed.step !== step) return false;
      return this.#refused.has(effectId) || (!untouched.has(effectId) && this.#isTried(effectId, handed));
    });
  }

  #isTried(effectId: string, { node, attempts, firstSentAtMs }: Handed): boolean {
    if ((this.#told.get(effectId) ?? 0) >= COMPENSATION_TRIES_MIN) return true;
    const { lateWindowMs } = this.#world.plan.times.policy;
    return attempts >= COMPENSATION_TRIES_MIN && node.nowMs() >= firstSentAtMs + lateWindowMs;
  }

  #planOf(node: Node) {
    return this.#world.plan.payments.find(({ paymentId }) => paymentId === node.id);
  }
}
