/**
 * Pure: the names of the refund saga: its states and its commands, and the engine's types over them.
 */
import type { RefundData } from '../refund.ts';
import type { AttentionSpec, Rule, RuleContext, Saga, Step } from './table.ts';

export const REFUND_STATES = [
  'reserving',
  'refunding',
  'refund_unknown',
  'crediting',
  'reversing',
  'completed',
  'failed',
  'needs_attention',
] as const;
export type RefundState = (typeof REFUND_STATES)[number];

export const REFUND_COMMANDS = ['reserve', 'refund', 'lookup', 'credit', 'reverse', 'settle', 'notify'] as const;
export type RefundCommand = (typeof REFUND_COMMANDS)[number];

/** Why a refund needs a person. */
export const REFUND_ATTENTIONS = [
  'refund_unknown',
  'credit_refused',
  'credited_money_is_gone',
  'refunded_after_failure',
] as const;
export type RefundAttention = (typeof REFUND_ATTENTIONS)[number];

export type RefundSagaValue = Saga<RefundState, RefundData, RefundCommand>;
export type RefundStep = Step<RefundState, RefundData, RefundCommand>;
export type RefundRule = Rule<RefundState, RefundData, RefundCommand>;
export type RefundContext = RuleContext<RefundData>;
export type RefundAttentionSpec = AttentionSpec<RefundState, RefundData, RefundCommand>;
