/**
 * The circuit breakers as a batch of calls meets them: each provider's health is asked once before and told once after, not
 * per call. Never in the way: if the health object does not answer, calls are made as if it had said yes. Lives for one
 * batch; the consumer closes it when its outcomes are delivered.
 */
import type { CallResult, Permit } from '../domain/circuit-breaker.ts';
import { type Spent, sumOfSpent } from '../domain/cost/spent.ts';
import { OBJECT_CALL } from '../domain/cost/work.ts';
import type { GatewayOperation } from '../domain/events/catalogue.ts';
import type { OperationReport, Permits, Wants } from '../domain/provider-health.ts';
import { errorText, logLine } from '../telemetry/log.ts';
import { HEALTH_ASK_TIMEOUT_MS, HEALTH_FREE_MS, PROVIDER_SLOW_MS } from './limits.ts';
import type { ProviderAnswer } from './provider.ts';

/** The way to the health objects. */
export interface HealthDesk {
  ask(provider: string, wants: Wants): Promise<Permits>;
  tell(provider: string, reports: readonly OperationReport[]): Promise<void>;
}

export type Admission =
  | { readonly admitted: true; readonly leaseId?: string }
  | { readonly admitted: false; readonly retryAfterMs: number };

/** The desk of the environment. A fresh stub for each call: one that threw is broken. */
export function healthDeskOf(env: Env): HealthDesk {
  return {
    ask: (provider, wants) => env.PROVIDER_HEALTH.getByName(provider).ask(wants),
    tell: (provider, reports) => env.PROVIDER_HEALTH.getByName(provider).tell(reports),
  };
}

interface Round {
  readonly wants: Partial<Record<GatewayOperation, number>>;
  readonly permits: Promise<Permits>;
}

/** Of this isolate: until when an operation at a provider needs no asking. Only "free" is remembered, never a refusal. */
const freeUntilMs = new Map<string, number>();

export class HealthBatch {
  readonly #desk: HealthDesk;
  readonly #mode: 'sandbox' | 'live';
  readonly #free: Map<string, number>;
  readonly #rounds = new Map<string, Round>();
  /** Leases that were granted to this batch and are not used yet. */
  readonly #leases = new Map<string, string[]>();
  readonly #reports = new Map<string, OperationReport[]>();
  #spent: Spent = {};

  constructor(desk: HealthDesk, mode: 'sandbox' | 'live', free: Map<string, number> = freeUntilMs) {
    this.#desk = desk;
    this.#mode = mode;
    this.#free = free;
  }

  /** Whether a call may be made now. Asked for a whole batch in one turn, all of it is one question per provider. */
  async admit(provider: string, operation: GatewayOperation): Promise<Admission> {
    const series = `${provider}.${operation}`;
    if ((this.#free.get(series) ?? 0) > Date.now()) return { admitted: true };
    const permit: Permit = (await this.#ask(provider, operation))[operation] ?? { kind: 'free' };
    switch (permit.kind) {
      case 'free':
        this.#free.set(series, Date.now() + HEALTH_FREE_MS);
        return { admitted: true };
      case 'refused':
        return { admitted: false, retryAfterMs: permit.retryAfterMs };
      case 'leased': {
        const left = this.#leases.get(series) ?? [...permit.leases];
        const leaseId = left.shift();
        this.#leases.set(series, left);
        return leaseId === undefined
          ? { admitted: false, retryAfterMs: permit.retryAfterMs }
          : { admitted: true, leaseId };
      }
    }
  }

  /** How an admitted call went. */
  note(
    provider: string,
    operation: GatewayOperation,
    admission: Admission,
    answer: ProviderAnswer,
    durationMs: number,
  ): void {
    // The first of a provider's reports is one call, whenever it is made.
    if (!this.#reports.has(provider)) this.#spent = sumOfSpent(this.#spent, OBJECT_CALL);
    const reports = this.#reports.get(provider) ?? [];
    reports.push({
      operation,
      result: resultOf(answer),
      slow: durationMs >= PROVIDER_SLOW_MS[this.#mode],
      ...(admission.admitted && admission.leaseId !== undefined && { leaseId: admission.leaseId }),
    });
    this.#reports.set(provider, reports);
  }

  /** Tells what was noted. Never throws: a lost report is a window with fewer calls in it, and leases expire. */
  async close(): Promise<void> {
    const told = [...this.#reports].map(async ([provider, reports]) => {
      try {
        await this.#desk.tell(provider, reports);
      } catch (error) {
        logLine('breaker.tell_failed', { provider, count: reports.length, error: errorText(error) });
      }
    });
    this.#reports.clear();
    await Promise.all(told);
  }

  /** What its calls have cost since this was last asked; a report that is still to be made is one. */
  takeSpent(): Spent {
    const spent = this.#spent;
    this.#spent = {};
    return spent;
  }

  #ask(provider: string, operation: GatewayOperation): Promise<Permits> {
    const open = this.#rounds.get(provider);
    if (open !== undefined) {
      open.wants[operation] = (open.wants[operation] ?? 0) + 1;
      return open.permits;
    }
    const wants: Round['wants'] = { [operation]: 1 };
    // A microtask later: the rest of the batch, which is asking in this same turn, is in `wants` by then.
    const permits = Promise.resolve().then(() => {
      this.#rounds.delete(provider);
      for (const asked of Object.keys(wants)) this.#leases.delete(`${provider}.${asked}`);
      return this.#askNow(provider, wants);
    });
    this.#rounds.set(provider, { wants, permits });
    return permits;
  }

  async #askNow(provider: string, wants: Wants): Promise<Permits> {
    this.#spent = sumOfSpent(this.#spent, OBJECT_CALL);
    const late = Promise.withResolvers<Permits>();
    const timer = setTimeout(() => late.resolve({}), HEALTH_ASK_TIMEOUT_MS);
    try {
      return await Promise.race([this.#desk.ask(provider, wants), late.promise]);
    } catch (error) {
      // Open or closed, nobody can say: a call is made, since the saga takes any answer and a refusal would stop the shop.
      logLine('breaker.ask_failed', { provider, error: errorText(error) });
      return {};
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * The reasons of an `unknown` of which nothing usable was heard: no answer, or one from before the provider (a redirect, a proxy's page,
 * 5xx). They are the port's (`exchange.ts`), the same for every provider; any other is read off what a provider did answer.
 */
const UNHEARD = /^(timeout|connection_cut|answer_unreadable|http_[35]\d\d)$/;

/**
 * Declines, refusals and our own bad requests are answers of a healthy provider. 429 says only that we are too fast, and an answer that we
 * can make nothing of is about one payment, or a fault of ours: to shut everybody out would help neither (decision 0014).
 */
function resultOf(answer: ProviderAnswer): CallResult {
  switch (answer.kind) {
    case 'not_sent':
    case 'misconfigured':
      return 'failure';
    case 'unknown':
      return UNHEARD.test(answer.reason) ? 'failure' : 'no_sign';
    case 'throttled':
      return 'no_sign';
    default:
      return 'success';
  }
}
