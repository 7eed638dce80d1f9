/**
 * Pure: the contract of the object that keeps a provider's breakers: what the gateway asks and tells, once per batch, and
 * what operators see and force. One breaker per operation: a provider whose refunds fail may still authorize.
 */
import type { Breaker, CallReport, Permit } from './circuit-breaker.ts';
import type { GatewayOperation } from './events/catalogue.ts';

/** How many calls of each operation are wanted. */
export type Wants = Readonly<Partial<Record<GatewayOperation, number>>>;
export type Permits = Readonly<Partial<Record<GatewayOperation, Permit>>>;

export interface OperationReport extends CallReport {
  readonly operation: GatewayOperation;
}

export interface BreakerView {
  readonly operation: GatewayOperation;
  /** What calls meet now: an operator's word counts more than the mode. */
  readonly state: 'closed' | 'open' | 'half_open' | 'forced_open' | 'forced_closed';
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  readonly openings: number;
  /** When it may be tried again; null unless it is open. */
  readonly openUntilMs: number | null;
  readonly leases: number;
}

export interface ProviderHealthRpc {
  ask(wants: Wants): Permits;
  tell(reports: readonly OperationReport[]): void;
  /** `operation` absent: all of them. `state` null: the breaker goes by its own measurements again. */
  force(state: Breaker['forced'], operation?: GatewayOperation): readonly BreakerView[];
  read(): readonly BreakerView[];
}
