/**
 * The client: the operations that people use by name, and every other by `request`. Each call sends again what may be sent again, under
 * one idempotency key, and is bounded; `ended` waits for the end of a payment or refund by its live timeline.
 */
import { HoldfastError } from './errors.ts';
import { type EventsOf, type EventsOptions, eventsOf } from './events.ts';
import type {
  Deposit,
  Event,
  LedgerEntry,
  Operations,
  Payment,
  PaymentRequest,
  Refund,
  RefundRequest,
  Wallet,
  WalletOpen,
} from './generated.ts';
import {
  type Answer,
  type CallOptions,
  type Input,
  type Name,
  type PayOptions,
  pause,
  Transport,
  type TransportOptions,
} from './transport.ts';

export type HoldfastOptions = TransportOptions;

export interface EndedOptions extends CallOptions {
  /** How long it may take: the sandbox's end in seconds, a provider that answers late takes hours. */
  readonly timeoutMs?: number;
}

const ENDED_TIMEOUT_MS = 60_000;
/** Where the timeline cannot be had, the entity is read so often. */
const POLL_MS = 1_000;

type Query<Of extends Name> = Operations[Of] extends { query?: infer Members } ? NonNullable<Members> : never;

export class Holdfast {
  readonly #transport: Transport;

  /** @throws TypeError for a `baseUrl` that is no address, or an `apiKey` that is no key. */
  constructor(options: HoldfastOptions) {
    this.#transport = new Transport(options);
  }

  /** Any operation of the API, by its `operationId`: `request('listSagas', { query: { state: 'debiting' } })`. @throws HoldfastError */
  request<Of extends Name>(name: Of, input: Input<Of>, options?: PayOptions): Promise<Answer<Of>> {
    return this.#transport.call(name, input, options);
  }

  readonly payments = {
    /** Starts a payment. PENDING unless `waitSeconds` is enough; the same key and body again is the same payment. */
    create: (body: PaymentRequest, options?: PayOptions): Promise<Payment> =>
      this.request('createPayment', { body }, options),
    get: (id: string, options?: CallOptions): Promise<Payment> => this.request('getPayment', { path: { id } }, options),
    list: (query: Query<'listPayments'> = {}, options?: CallOptions) =>
      this.request('listPayments', { query }, options),
    /** All pages, newest first. */
    all: (query: Query<'listPayments'> = {}, options?: CallOptions): AsyncGenerator<Payment> =>
      pages((cursor) => this.payments.list({ ...query, ...cursor }, options)),
    /** The timeline as it happens. */
    events: (id: string, options: EventsOptions = {}): AsyncGenerator<Event> =>
      eventsOf(this.#transport, 'listPaymentEvents', id, options),
    /** The payment once it is COMPLETED or FAILED. @throws HoldfastError `not_ended` when that takes longer. */
    ended: (id: string, options?: EndedOptions): Promise<Payment> =>
      this.#ended(id, 'listPaymentEvents', (call) => this.payments.get(id, call), options),
  };

  readonly refunds = {
    /** Gives back a part, or without an `amount` all that is left. */
    create: (body: RefundRequest, options?: PayOptions): Promise<Refund> =>
      this.request('createRefund', { body }, options),
    get: (id: string, options?: CallOptions): Promise<Refund> => this.request('getRefund', { path: { id } }, options),
    list: (query: Query<'listRefunds'>, options?: CallOptions) => this.request('listRefunds', { query }, options),
    events: (id: string, options: EventsOptions = {}): AsyncGenerator<Event> =>
      eventsOf(this.#transport, 'listRefundEvents', id, options),
    ended: (id: string, options?: EndedOptions): Promise<Refund> =>
      this.#ended(id, 'listRefundEvents', (call) => this.refunds.get(id, call), options),
  };

  readonly wallets = {
    open: (body: WalletOpen, options?: PayOptions): Promise<Wallet> => this.request('openWallet', { body }, options),
    get: (id: string, options?: CallOptions): Promise<Wallet> => this.request('getWallet', { path: { id } }, options),
    deposit: (id: string, body: Deposit, options?: PayOptions): Promise<LedgerEntry> =>
      this.request('depositIntoWallet', { path: { id }, body }, options),
  };

  async #ended<Entity extends { readonly status: string }>(
    id: string,
    events: EventsOf,
    get: (options: CallOptions) => Promise<Entity>,
    { timeoutMs = ENDED_TIMEOUT_MS, signal }: EndedOptions = {},
  ): Promise<Entity> {
    const late = AbortSignal.timeout(timeoutMs);
    const both = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      for (;;) {
        const entity = await get({ signal: both });
        if (entity.status === 'COMPLETED' || entity.status === 'FAILED') return entity;
        await this.#follow(events, id, both);
        // A timeline that closed early, or an end that is a moment ahead of what was read.
        await pause(POLL_MS / 10, both);
      }
    } catch (error) {
      if (!late.aborted || signal?.aborted === true) throw error;
      throw new HoldfastError({ kind: 'not_ended', attempts: 1, id, waitedMs: timeoutMs }, error);
    }
  }

  /** Until the timeline ends; where it cannot be had, for a moment: then the entity is read again. */
  async #follow(events: EventsOf, id: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const { event_type: type } of eventsOf(this.#transport, events, id, { signal })) {
        if (/^(payment|refund)\.(completed|failed)$/.test(type)) return;
      }
    } catch (error) {
      const isFinal = error instanceof HoldfastError && !error.retryable;
      if (signal.aborted || isFinal) throw error;
      await pause(POLL_MS, signal);
    }
  }
}

async function* pages<Item>(
  page: (cursor: {
    readonly cursor?: string;
  }) => Promise<{ readonly data: readonly Item[]; readonly next_cursor: string | null }>,
): AsyncGenerator<Item> {
  let cursor: string | null | undefined;
  do {
    const { data, next_cursor: next } = await page(typeof cursor === 'string' ? { cursor } : {});
    yield* data;
    cursor = next;
  } while (cursor !== null);
}
