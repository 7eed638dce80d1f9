/** A receiver of webhooks as a test in the Workers runtime sees it: a URL, what it heard, and how it is to answer. */
import { Webhook } from 'standardwebhooks';
import { inject, vi } from 'vitest';
import { MINUTE_MS } from '../../src/domain/limits.ts';
import { WEBHOOK_POLICIES } from '../../src/domain/webhook-policy.ts';
import { until } from './payments.ts';

/** `does`: never answer, break the connection, answer with a body without end, or begin one and never end it. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly does?: 'hang' | 'cut' | 'flood' | 'stall';
}

export interface Received {
  readonly atMs: number;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class Receiver {
  readonly #name: string;

  /** One that is known by its name to more than this test, as the collector of traces is. */
  constructor(name: string = crypto.randomUUID()) {
    this.#name = name;
  }

  get url(): string {
    return `${inject('receiversUrl')}/hooks/${this.#name}`;
  }

  /** From now on: these in order, the last for ever. */
  async answer(...replies: readonly Reply[]): Promise<this> {
    await this.#desk({ method: 'POST', body: JSON.stringify(replies) });
    return this;
  }

  /** Answers what it has left hanging so far, with 200. */
  async answerHanging(): Promise<void> {
    await this.#desk({ method: 'DELETE' });
  }

  async received(): Promise<Received[]> {
    return this.#desk();
  }

  /** What it has heard once it is at least `count`. */
  async heard(count: number, boundMs = 30_000): Promise<Received[]> {
    return until(
      () => this.received(),
      (received) => received.length >= count,
      boundMs,
    );
  }

  async #desk(init?: RequestInit): Promise<Received[]> {
    const response = await fetch(`${inject('receiversUrl')}/desk/${this.#name}`, init);
    return response.json();
  }
}

/** Whoever hangs is waited for, so that what goes on meanwhile is no race with the timeout; until `vi.restoreAllMocks()`. */
export function waitForHanging(): void {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) =>
    timeout(ms === WEBHOOK_POLICIES.sandbox.timeoutMs ? MINUTE_MS : ms),
  );
}

/** The body of a delivery, after the Standard Webhooks library has verified it. @throws what the library throws. */
export function verified(secret: string, { body, headers }: Received): { type: string; timestamp: string; data: Data } {
  return new Webhook(secret).verify(body, headers) as { type: string; timestamp: string; data: Data };
}

export interface Data {
  readonly id: string;
  readonly object: string;
  readonly status: string;
  readonly [member: string]: unknown;
}
