/**
 * What the API answers, as far as the console looks. Payments, refunds, wallets, ledger entries and events are the domain's own
 * types; the rest is what docs/openapi.json says of the operators' routes, as the typed client has it.
 */
export type {
  ActivitySlot,
  Breaker,
  DeadLetter,
  DeadLetterDetail,
  DeadLetterRedrive as Redrive,
  Finding,
  Overview,
  Reconciliation,
  ReconciliationReport,
  Saga,
  SagaCommand,
  SagaMove as Move,
  SagaRow,
  WalletRow,
} from '../../../client/src/generated.ts';
export type { Envelope } from '../../../src/domain/events/envelope.ts';
export type { PaymentView } from '../../../src/domain/payment.ts';
export type { RefundView } from '../../../src/domain/refund.ts';
export type { EntryView, WalletView } from '../../../src/domain/wallet-rpc.ts';

export interface List<Item> {
  readonly object: 'list';
  readonly data: readonly Item[];
  readonly next_cursor: string | null;
}
