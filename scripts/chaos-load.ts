/**
 * The load of the chaos run: clients that pay, refund, and send again with the same key what had no answer, while the
 * runtime is killed under them. Keeps what was acknowledged, which from then on must not be lost; reads it back in the end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Acknowledged, PaymentEnd, RefundEnd, WalletEnd } from './chaos-check.ts';

const CLIENTS = 6;
const WALLETS = 5;
const PAUSE_MAX_MS = 300;
const REQUEST_TIMEOUT_MS = 5_000;
/** A client's patience with a runtime that is being killed: attempts, and the time between two of them. */
const ATTEMPTS_MAX = 400;
const AGAIN_AFTER_MS = 250;
const READERS = 8;

/** What is paid with, and how often of a hundred. */
const STORIES: readonly { readonly share: number; readonly body: Record<string, string>; readonly refund?: boolean }[] =
  [
    { share: 35, body: { method: 'balance' } },
    { share: 15, body: { method: 'balance' }, refund: true },
    { share: 10, body: { method: 'balance', token: 'pm_sim_slow_1500' } },
    { share: 10, body: { method: 'credit_card', token: 'pm_card_visa' } },
    { share: 5, body: { method: 'debit_card', token: 'pm_card_mastercard' }, refund: true },
    { share: 5, body: { method: 'credit_card', token: 'pm_sim_slow_1500' } },
    { share: 8, body: { method: 'balance', token: 'pm_card_visa_chargeDeclined' } },
    { share: 7, body: { method: 'balance', token: 'pm_sim_debit_fail' } },
    { share: 3, body: { method: 'balance', token: 'pm_sim_5xx_after_success' } },
    { share: 2, body: { method: 'balance', token: 'pm_card_pendingRefund' }, refund: true },
  ];
/** Of a hundred requests: how many are sent twice at the same time. */
const DOUBLED_SHARE = 20;

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface TimelineEvent {
  readonly timestamp: string;
  readonly event_type: string;
  readonly payload: Record<string, unknown>;
}

export class Load {
  /** Ids of what was answered with 200, 201 or 202. */
  readonly payments = new Set<string>();
  readonly refunds = new Set<string>();
  /** Requests that had no answer, or one of 5xx, and were sent again. */
  repeated = 0;
  readonly #origin: string;
  readonly #random: () => number;
  readonly #stopped = new AbortController();
  readonly #abandoned = new AbortController();
  #keys = 0;

  /** @param random a number in [0, 1), the same sequence for the same seed. */
  constructor(origin: string, random: () => number) {
    this.#origin = origin;
    this.#random = random;
  }

  /** Until `stop`; resolves when everything that was begun has its answer. @throws for an answer that no client may get. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, () => this.#client()));
  }

  /** No further request is begun; what has no answer yet is still sent again. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Nothing is sent any more: whoever listens there next is none of ours. */
  abandon(): void {
    this.stop();
    this.#abandoned.abort(new Error('the load was abandoned'));
  }

  async readPayments(): Promise<Acknowledged<PaymentEnd>[]> {
    return this.#readAll<PaymentEnd>('/payments', this.payments);
  }

  async readRefunds(): Promise<Acknowledged<RefundEnd>[]> {
    return this.#readAll<RefundEnd>('/refunds', this.refunds);
  }

  async readWallets(): Promise<WalletEnd[]> {
    const none = { currency: 'USD', available: 0, held: 0, settled: 0, external: 0 };
    const ids = Array.from({ length: WALLETS }, (_, index) => `chaos-${index}`);
    const read = await this.#readAll<WalletEnd>('/wallets', new Set(ids));
    return read.map(({ id, view }) => view ?? { id, ...none });
  }

  /** A payment's own log, oldest first, a line each: for a run that found it stuck. */
  async readTimeline(paymentId: string): Promise<string[]> {
    const { body } = await this.#untilAnswered(`/payments/${paymentId}/events`);
    const { data } = JSON.parse(body) as { readonly data: readonly TimelineEvent[] };
    return data.map(({ timestamp, event_type, payload }) => `${timestamp} ${event_type} ${JSON.stringify(payload)}`);
  }

  async #client(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#tell();
      await sleep(this.#random() * PAUSE_MAX_MS);
    }
  }

  async #tell(): Promise<void> {
    const { body, refund } = this.#story();
    const wallet = `chaos-${Math.floor(this.#random() * WALLETS)}`;
    const amount = 100 + Math.floor(this.#random() * 9_900);
    const request = { wallet_id: wallet, service_id: 'chaos', amount, currency: 'USD', ...body };
    const paymentId = await this.#create('/payments', request, this.payments);
    if (refund !== true || !(await this.#completed(paymentId))) return;
    const part = { payment_id: paymentId, ...(this.#random() < 0.5 && { amount: Math.ceil(amount / 3) }) };
    await this.#create('/refunds', part, this.refunds);
  }

  #story(): (typeof STORIES)[number] {
    let left = this.#random() * STORIES.reduce((total, { share }) => total + share, 0);
    const story = STORIES.find(({ share }) => {
      left -= share;
      return left < 0;
    });
    return story ?? { share: 0, body: { method: 'balance' } };
  }

  /** Posts once, or twice at the same time; the id that every answer to one key has. */
  async #create(path: string, body: object, acknowledged: Set<string>): Promise<string> {
    this.#keys += 1;
    const key = `chaos-${this.#keys}`;
    const isDoubled = this.#random() * 100 < DOUBLED_SHARE;
    const answers = await Promise.all(
      Array.from({ length: isDoubled ? 2 : 1 }, async () => {
        const answer = await this.#untilAnswered(path, { method: 'POST', key, body: JSON.stringify(body) });
        if (answer.status > 202) throw new Error(`POST ${path} answered ${answer.status}: ${answer.body}`);
        const { id } = JSON.parse(answer.body) as { id: string };
        acknowledged.add(id);
        return id;
      }),
    );
    const [id] = answers;
    if (id === undefined || answers.some((other) => other !== id)) throw new Error(`one key, two ids: ${answers}`);
    return id;
  }

  /** Whether it completes before the load is stopped. */
  async #completed(paymentId: string): Promise<boolean> {
    while (!this.#stopped.signal.aborted) {
      const { body } = await this.#untilAnswered(`/payments/${paymentId}`);
      const { status } = JSON.parse(body) as PaymentEnd;
      if (status !== 'PENDING') return status === 'COMPLETED';
      await sleep(AGAIN_AFTER_MS);
    }
    return false;
  }

  async #readAll<View>(path: string, ids: ReadonlySet<string>): Promise<Acknowledged<View>[]> {
    const read: Acknowledged<View>[] = [];
    const waiting = ids.values();
    const reader = async (): Promise<void> => {
      for (const id of waiting) {
        const { status, body } = await this.#untilAnswered(`${path}/${id}`);
        read.push({ id, view: status === 200 ? (JSON.parse(body) as View) : null });
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    return read;
  }

  /** Sends again, with the same key, whatever had no answer, or one of 5xx or 429. */
  async #untilAnswered(path: string, post?: { method: 'POST'; key: string; body: string }): Promise<Answer> {
    let last = '';
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      this.#abandoned.signal.throwIfAborted();
      try {
        const response = await fetch(`${this.#origin}${path}`, {
          signal: AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MS), this.#abandoned.signal]),
          ...(post !== undefined && {
            method: post.method,
            headers: { 'content-type': 'application/json', 'idempotency-key': post.key },
            body: post.body,
          }),
        });
        const body = await response.text();
        if (response.status < 500 && response.status !== 429) return { status: response.status, body };
        last = `${response.status} ${body}`;
      } catch (error) {
        // Cut while it was asked, or nobody listens yet.
        last = error instanceof Error ? error.message : String(error);
      }
      this.repeated += 1;
      await sleep(AGAIN_AFTER_MS);
    }
    throw new Error(`no answer from ${path} in ${ATTEMPTS_MAX} attempts; last: ${last}`);
  }
}
