/**
 * Pure: what the owner of messages that died may be asked, and what it answers. Implemented by the sagas' objects and by
 * WebhookEndpoint, asked by HTTP for operators.
 */
import type { Scope } from './ids.ts';

/** What a dead letter carried: a command's effect, or runs of the saga's events for the record. */
export type Redrivable = { readonly kind: 'effect'; readonly effectId: string } | { readonly kind: 'publication' };

/**
 * Where the owner of what a letter carried stands now. `state`: a saga's state, or `expired` past its retention; of a
 * webhook endpoint, whether it is enabled.
 */
export type Standing =
  | { readonly kind: 'known'; readonly state: string; readonly awaits: boolean }
  /** This object has never begun what the letter speaks of, or it is another merchant's. */
  | { readonly kind: 'unknown_owner' };

/** One outcome per item, in the same order. `no_longer_awaited`: nothing was sent, since nothing is left to do. */
export type RedriveResult =
  | { readonly kind: 'redriven'; readonly state: string; readonly outcomes: readonly RedriveOutcome[] }
  | { readonly kind: 'unknown_owner' };

export const REDRIVE_OUTCOMES = ['sent_again', 'no_longer_awaited'] as const;
export type RedriveOutcome = (typeof REDRIVE_OUTCOMES)[number];

/** What the owner of messages that died answers to: a saga's object, or a webhook endpoint's. */
export interface RedriveRpc {
  /** Whether it still waits for what a dead letter carried, and how it stands. */
  standing(scope: Scope, item: Redrivable): Standing;
  /** Sends again, now, whatever of this it still waits for, as it would itself; any number of times. */
  redrive(scope: Scope, items: readonly Redrivable[]): RedriveResult;
}
