/**
 * A simulated payment provider, one object per name: its HTTP door, its own books, and its callbacks. It stands for the
 * outside world, so nothing of ours may lean on its storage: the gateway reaches it by `fetch` like any provider, and only
 * reconciliation and tests read `books()`. Sandbox mode only: in live mode no adapter reaches it.
 */
import { DurableObject } from 'cloudflare:workers';
import {
  chargeRequestSchema,
  IDEMPOTENCY_HEADER,
  refundRequestSchema,
  sandboxApiKey,
} from '../../src/gateway/providers/sandbox-protocol.ts';
import { type Books, type BooksPage, readBooks } from './books.ts';
import { sendDueCallbacks } from './callbacks.ts';
import { Desk, type Reply, refusal } from './desk.ts';
import { BookStore } from './store.ts';

const KEY_LENGTH_MAX = 64;

export class SandboxProvider extends DurableObject<Env> {
  readonly #store: BookStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new BookStore(ctx.storage.sql);
  }

  /** Checks, in order: API key → route → `Idempotency-Key` of a POST → body → what the desk says. */
  override async fetch(request: Request): Promise<Response> {
    const reply = await this.#answer(request);
    if (reply.callbackAtMs !== undefined) await this.#armFor(reply.callbackAtMs);
    if (reply.waitMs !== undefined) await scheduler.wait(reply.waitMs);
    const headers = new Headers();
    if (reply.retryAfterSeconds !== undefined) headers.set('Retry-After', String(reply.retryAfterSeconds));
    return Response.json(reply.body, { status: reply.status, headers });
  }

  /** The books, for reconciliation and tests: a page of charges and one of refunds, at most BOOKS_PAGE_MAX of each, and the newest callbacks. */
  books(page: BooksPage = {}): Books {
    return readBooks(this.#store, this.#desk(), page, Date.now());
  }

  override async alarm(): Promise<void> {
    // The loopback to this Worker's own `fetch`: the callback takes the same way as one from outside (decision 0013).
    const post = (request: Request) => this.ctx.exports.default.fetch(request);
    await sendDueCallbacks({ store: this.#store, nowMs: Date.now(), post });
    const nextAtMs = this.#store.nextCallbackAtMs();
    if (nextAtMs !== null) await this.ctx.storage.setAlarm(nextAtMs);
  }

  async #answer(request: Request): Promise<Reply> {
    const name = this.#name();
    if (request.headers.get('authorization') !== `Bearer ${sandboxApiKey(name)}`)
      return refusal(401, 'unauthenticated');
    const url = new URL(request.url);
    const [collection, id, action, ...rest] = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (rest.length > 0) return refusal(404, 'no_such_route');
    if (request.method === 'GET') return this.#find(collection, id, url.searchParams.get('key'));
    if (request.method !== 'POST' || collection !== 'charges') return refusal(404, 'no_such_route');
    const key = request.headers.get(IDEMPOTENCY_HEADER) ?? '';
    if (key === '' || key.length > KEY_LENGTH_MAX) return refusal(400, 'idempotency_key_invalid');
    return this.#take(key, id, action, await readJson(request));
  }

  #find(collection: string | undefined, id: string | undefined, key: string | null): Reply {
    if (id !== undefined || key === null) return refusal(404, 'no_such_route');
    if (collection === 'charges') return this.#desk().findCharge(key, Date.now());
    return collection === 'refunds' ? this.#desk().findRefund(key, Date.now()) : refusal(404, 'no_such_route');
  }

  #take(key: string, id: string | undefined, action: string | undefined, body: unknown): Reply {
    const desk = this.#desk();
    const nowMs = Date.now();
    if (id === undefined) {
      const charge = chargeRequestSchema.safeParse(body);
      return charge.success ? desk.authorize(key, charge.data, nowMs) : refusal(400, 'invalid_request');
    }
    switch (action) {
      case 'capture':
        return desk.capture(id, key, nowMs);
      case 'void':
        return desk.void(id, key, nowMs);
      case 'refunds': {
        const refund = refundRequestSchema.safeParse(body);
        return refund.success ? desk.refund(id, key, refund.data, nowMs) : refusal(400, 'invalid_request');
      }
      default:
        return refusal(404, 'no_such_route');
    }
  }

  async #armFor(atMs: number): Promise<void> {
    const armedAtMs = await this.ctx.storage.getAlarm();
    if (armedAtMs === null || armedAtMs > atMs) await this.ctx.storage.setAlarm(atMs);
  }

  #desk(): Desk {
    return new Desk(this.#name(), this.#store);
  }

  /** Always reached by name; an alarm, which may not know it, does not ask. */
  #name(): string {
    return this.ctx.id.name ?? '';
  }
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    // No schema takes null: the caller answers `invalid_request`.
    return null;
  }
}
