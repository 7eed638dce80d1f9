/**
 * Makes what is due happen, a bounded number at once, until nothing is due: the algorithm alone, over a small interface. A
 * slot that comes free, a delivery that comes in and a retry that falls due are each noticed while others still wait for
 * their receivers. It stores nothing; the endpoint's object is the only caller.
 */
import { SECOND_MS, WEBHOOK_IN_FLIGHT_MAX } from '../../src/domain/limits.ts';

/** After this no attempt is begun: an alarm may not last for ever, nor make requests without end; the next one goes on. */
const RUN_MS_MAX = 30 * SECOND_MS;

export interface DueWork {
  readonly name: string;
  readonly dueAtMs: number;
}

export interface RunPort {
  /** The next work in order of its time: at most `limit`, what is under way included. */
  next(limit: number): readonly DueWork[];
  /** Ends when the attempt is over and stored. */
  attempt(name: string): Promise<void>;
}

export class DeliveryRun {
  readonly #port: RunPort;
  readonly #inFlight = new Map<string, Promise<void>>();
  #wake: (() => void) | null = null;

  constructor(port: RunPort) {
    this.#port = port;
  }

  get active(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Something may be due that was not before. */
  wake(): void {
    this.#wake?.();
  }

  /** @throws what an attempt throws; the others go on, and are not begun a second time. */
  async run(): Promise<void> {
    const endAtMs = Date.now() + RUN_MS_MAX;
    for (;;) {
      const open = Date.now() < endAtMs;
      const nextAtMs = this.#begin(open);
      if (!this.active) return;
      await this.#change(open ? nextAtMs : null);
    }
  }

  /** Begins what is due as far as there are slots; answers when the next is due that is not yet, if there is a slot for it. */
  #begin(open: boolean): number | null {
    for (const { name, dueAtMs } of this.#port.next(2 * WEBHOOK_IN_FLIGHT_MAX)) {
      if (this.#inFlight.size >= WEBHOOK_IN_FLIGHT_MAX) return null;
      if (this.#inFlight.has(name)) continue;
      if (dueAtMs > Date.now()) return dueAtMs;
      if (open) this.#inFlight.set(name, this.#attempt(name));
    }
    return null;
  }

  async #attempt(name: string): Promise<void> {
    try {
      await this.#port.attempt(name);
    } finally {
      this.#inFlight.delete(name);
    }
  }

  /** Until an attempt is over, somebody wakes us, or it is `atMs`. */
  async #change(atMs: number | null): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    const timer = atMs === null ? null : setTimeout(woken.resolve, Math.max(0, atMs - Date.now()));
    try {
      await Promise.race([woken.promise, ...this.#inFlight.values()]);
    } finally {
      if (timer !== null) clearTimeout(timer);
      this.#wake = null;
    }
  }
}
