/**
 * The run: draws plans, sends them, has each answer judged, feeds the answers back, and shrinks what is wrong. Goes on after a
 * violation, and tells each kind once. Called by scripts/fuzz.ts and by the end-to-end test.
 */
import type { Agent } from 'node:http';
import fc from 'fast-check';
import { type OpenApiDocument, type Operation, operationsOf } from './document.ts';
import { curlCommand, exchange, type HttpAnswer, newAgent } from './exchange.ts';
import { excerpt, type Finding, identityOf, Judge, parseJson } from './judge.ts';
import { Memory } from './memory.ts';
import { isKey, type Plan, type Planned, plan, requestOf } from './requests.ts';

/** Sent at once; a local runtime gets no faster with more. */
const CONCURRENCY = 8;
/** Requests that are spent on making one violation smaller. */
const SHRINK_REQUESTS_MAX = 150;
/** Different violations that are told; a service with more has one cause for them. */
const VIOLATIONS_MAX = 25;

/** The Worker that is fuzzed: everyone may do everything, and API keys can be made. No secret: it runs on this machine alone. */
export const FUZZED_VARS = {
  MODE: 'sandbox',
  AUTH: 'open',
  RATE_LIMITS: 'off',
  API_KEY_SECRET: 'no-secret-but-as-long-as-it-must-be',
};

export interface FuzzOptions {
  /** Loopback only. */
  readonly origin: string;
  readonly document: OpenApiDocument;
  readonly requests: number;
  readonly seed: number;
  /** Ends the run early; what was found until then is told. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (sent: number) => void;
}

export interface Violation extends Finding {
  readonly curl: string;
  readonly answer: string;
}

export interface FuzzReport {
  readonly seed: number;
  readonly sent: number;
  /** Answers by operation, then by status. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly violations: readonly Violation[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const run = new Run(options);
  return run.toTheEnd();
}

class Run {
  readonly #options: FuzzOptions;
  readonly #operations: readonly Operation[];
  readonly #judge: Judge;
  readonly #memory: Memory;
  readonly #agent: Agent;
  readonly #answers = new Map<string, Map<number, number>>();
  readonly #violations: Violation[] = [];
  #sent = 0;
  /** The newest failure of the check that runs now, and what was sent to make it smaller. */
  #failure: Violation | null = null;
  #shrinkRequests = 0;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#operations = operationsOf(options.document);
    this.#judge = new Judge(options.document, this.#operations);
    this.#memory = new Memory(`fuzz-${options.seed}-${Date.now().toString(36)}`);
    this.#agent = newAgent(CONCURRENCY);
  }

  async toTheEnd(): Promise<FuzzReport> {
    const plans = fc.array(plan(this.#options.document, this.#operations), {
      minLength: 1,
      maxLength: CONCURRENCY,
      size: 'max',
    });
    const property = fc.asyncProperty(plans, (batch) => this.#sendAll(batch));
    try {
      for (let round = 0; !this.#isOver(); round++) {
        this.#failure = null;
        this.#shrinkRequests = 0;
        const numRuns = Math.ceil((this.#options.requests - this.#sent) / CONCURRENCY);
        const details = await fc.check(property, { seed: this.#options.seed + round, numRuns });
        // A fault of the fuzzer's own, not of what it looks at.
        if (details.failed && this.#failure === null) throw details.errorInstance;
        if (this.#failure !== null) this.#violations.push(this.#failure);
      }
    } finally {
      this.#agent.destroy();
    }
    return { seed: this.#options.seed, sent: this.#sent, answers: this.#answers, violations: this.#violations };
  }

  #isOver(): boolean {
    const { requests, signal } = this.#options;
    return this.#sent >= requests || this.#violations.length >= VIOLATIONS_MAX || signal?.aborted === true;
  }

  /** @throws for a violation that is not told yet. */
  async #sendAll(batch: readonly Plan[]): Promise<void> {
    const isShrinking = this.#failure !== null;
    if (isShrinking) this.#shrinkRequests += batch.length;
    if (isShrinking ? this.#shrinkRequests > SHRINK_REQUESTS_MAX : this.#isOver()) return;
    const left = isShrinking ? batch.length : this.#options.requests - this.#sent;
    const violations = await Promise.all(batch.slice(0, left).map((chosen) => this.#send(chosen, isShrinking)));
    const fresh = violations.find((one) => one !== null && this.#isWanted(one));
    if (fresh === undefined || fresh === null) return;
    this.#failure = fresh;
    throw new Error(fresh.rule);
  }

  /** Not told yet; while one is made smaller, that one only: it must not turn into another, and be lost. */
  #isWanted(violation: Violation): boolean {
    if (this.#failure !== null) return signature(this.#failure) === signature(violation);
    return !this.#violations.some((told) => signature(told) === signature(violation));
  }

  async #send(chosen: Plan, isShrinking: boolean): Promise<Violation | null> {
    const planned = requestOf(chosen, this.#operations, this.#memory);
    if (planned === null) return null;
    const { request } = planned;
    const operation = this.#judge.operationOf(request)?.id ?? 'outside the document';
    const curl = (): string => curlCommand(this.#options.origin, request);
    if (!isShrinking) this.#sent += 1;
    if (!isShrinking && this.#sent % 1_000 === 0) this.#options.onProgress?.(this.#sent);
    const answer = await exchange(this.#options.origin, this.#agent, request).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
    if (answer instanceof Error) {
      const detail = `${answer.name} ${(answer as NodeJS.ErrnoException).code ?? answer.message}`;
      return { operation, rule: 'is_answered', detail, curl: curl(), answer: answer.message };
    }
    if (!isShrinking) this.#count(operation, answer.status);
    const finding = this.#judge.judge(planned, answer);
    this.#learn(planned, answer);
    return finding === null ? null : { ...finding, curl: curl(), answer: `${answer.status} ${excerpt(answer)}` };
  }

  #count(operation: string, status: number): void {
    const counts = this.#answers.get(operation) ?? new Map<number, number>();
    this.#answers.set(operation, counts.set(status, (counts.get(status) ?? 0) + 1));
  }

  #learn({ request, replay, bodyValue }: Planned, answer: HttpAnswer): void {
    const operation = this.#judge.operationOf(request);
    if (operation === undefined || answer.status >= 300) return;
    this.#memory.learn(operation.id, parseJson(answer.body));
    const keys = operation.parameters.some(isKey) ? request.headers.filter(([name]) => /idempoten/i.test(name)) : [];
    for (const [, key] of keys) this.#memory.keep('idempotency-keys', key);
    if (keys.length === 0 || replay !== null || bodyValue === undefined) return;
    this.#memory.keepClaim({ operationId: operation.id, request, answer: identityOf(answer) });
  }
}

function signature({ operation, rule, detail }: Finding): string {
  return `${operation} ${rule} ${detail}`;
}
