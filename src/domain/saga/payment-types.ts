/**
 * Pure: the names of the payment saga: its states and its commands, and the engine's types over them.
 */
import type { PaymentData } from '../payment.ts';
import type { AttentionSpec, MoveRule, Rule, RuleContext, Saga, Step } from './table.ts';

export const PAYMENT_STATES = [
  'holding_funds',
  'authorizing',
  'authorization_unknown',
  'capturing',
  'debiting',
  'releasing_funds',
  'compensating',
  'completed',
  'failed',
  'needs_attention',
] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];

export const PAYMENT_COMMANDS = [
  'hold',
  'authorize',
  'lookup',
  'capture',
  'debit',
  'release',
  'unauthorize',
  'refund',
  'undo_late',
  'notify',
] as const;
export type PaymentCommand = (typeof PAYMENT_COMMANDS)[number];

/** Why a payment needs a person. */
export const PAYMENT_ATTENTIONS = [
  'authorization_unknown',
  'capture_unknown',
  'release_refused',
  'compensation_failed',
  'late_authorization_in_force',
] as const;
export type PaymentAttention = (typeof PAYMENT_ATTENTIONS)[number];

export type PaymentSagaValue = Saga<PaymentState, PaymentData, PaymentCommand>;
export type PaymentStep = Step<PaymentState, PaymentData, PaymentCommand>;
export type PaymentRule = Rule<PaymentState, PaymentData, PaymentCommand>;
export type PaymentContext = RuleContext<PaymentData>;
export type PaymentMoveRule = MoveRule<PaymentState, PaymentData, PaymentCommand>;
export type PaymentAttentionSpec = AttentionSpec<PaymentState, PaymentData, PaymentCommand>;
