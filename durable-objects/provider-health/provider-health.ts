/**
 * The health of one provider: its circuit breakers, one per operation. Asked by the gateway before a batch of calls and told
 * after it, once each; read and forced by operators. It never calls a provider and never decides about a payment: a
 * refused call is an outcome that the saga is told.
 */
import { DurableObject } from 'cloudflare:workers';
import { ask, type Breaker, CLOSED, force, tell, totals } from '../../src/domain/circuit-breaker.ts';
import { GATEWAY_OPERATIONS, type GatewayOperation } from '../../src/domain/events/catalogue.ts';
import type {
  BreakerView,
  OperationReport,
  Permits,
  ProviderHealthRpc,
  Wants,
} from '../../src/domain/provider-health.ts';
import { logLine } from '../../src/telemetry/log.ts';
import { BreakerStore } from './store.ts';

export class ProviderHealth extends DurableObject<Env> implements ProviderHealthRpc {
  readonly #store: BreakerStore;
  readonly #breakers: Map<GatewayOperation, Breaker>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new BreakerStore(ctx.storage.sql);
    this.#breakers = this.#store.load();
  }

  ask(wants: Wants): Permits {
    const permits: Partial<Record<GatewayOperation, Permits[GatewayOperation]>> = {};
    for (const operation of GATEWAY_OPERATIONS) {
      const wanted = wants[operation];
      if (wanted === undefined) continue;
      const { breaker, permit } = ask(this.#breaker(operation), wanted, Date.now(), () => crypto.randomUUID());
      this.#keep(operation, breaker);
      permits[operation] = permit;
    }
    return permits as Permits;
  }

  tell(reports: readonly OperationReport[]): void {
    for (const operation of GATEWAY_OPERATIONS) {
      const own = reports.filter((report) => report.operation === operation);
      if (own.length > 0) this.#keep(operation, tell(this.#breaker(operation), own, Date.now(), Math.random()));
    }
  }

  force(state: Breaker['forced'], operation?: GatewayOperation): readonly BreakerView[] {
    for (const each of GATEWAY_OPERATIONS) {
      if (operation === undefined || operation === each) this.#keep(each, force(this.#breaker(each), state));
    }
    return this.read();
  }

  read(): readonly BreakerView[] {
    return GATEWAY_OPERATIONS.map((operation) => view(operation, this.#breaker(operation)));
  }

  #breaker(operation: GatewayOperation): Breaker {
    return this.#breakers.get(operation) ?? CLOSED;
  }

  #keep(operation: GatewayOperation, after: Breaker): void {
    const before = this.#breaker(operation);
    if (after === before) return;
    this.#breakers.set(operation, after);
    this.#store.save(operation, before, after);
    if (before.mode === after.mode && before.forced === after.forced) return;
    logLine('breaker.changed', {
      provider: this.ctx.id.name ?? null,
      operation,
      status: stateOf(after),
      ...(after.mode === 'open' && { alert: true }),
    });
  }
}

function stateOf(breaker: Breaker): BreakerView['state'] {
  return breaker.forced === null ? breaker.mode : `forced_${breaker.forced}`;
}

function view(operation: GatewayOperation, breaker: Breaker): BreakerView {
  return {
    operation,
    state: stateOf(breaker),
    ...totals(breaker.buckets),
    openings: breaker.openings,
    openUntilMs: breaker.mode === 'open' ? breaker.openUntilMs : null,
    leases: breaker.leases.length,
  };
}
