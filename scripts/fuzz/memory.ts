/**
 * What earlier answers told, to be fed back: ids by the collection that they belong to, cursors, and the requests that a
 * key was used for. Bounded: the newest replace the oldest. Knows names only by their grammar (`payment_id` is of
 * `payments`), never a route.
 */
import type { HttpRequest } from './exchange.ts';

/** Enough that most references are to something alive, few enough that one is met twice. */
const KEPT_MAX = 64;

/** The pool of keys that were sent, whatever the answer. Those that stand for something are of the collection `idempotency-keys`. */
export const SENT_KEYS = 'sent-keys';

/** A request with a key, and the id or the text that it was answered with. */
export interface Claim {
  readonly operationId: string;
  readonly request: HttpRequest;
  readonly answer: string;
}

export class Memory {
  readonly #prefix: string;
  readonly #pools = new Map<string, string[]>();
  readonly #claims: Claim[] = [];
  #freshKeys = 0;
  #kept = 0;

  /** @param prefix of the keys of this run, so that no other run on the same instance has used them. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  freshKey(): string {
    this.#freshKeys += 1;
    return this.keep(SENT_KEYS, `${this.#prefix}-${this.#freshKeys}`);
  }

  /** One of what is known of a pool; undefined while nothing is. */
  pick(pool: string, n: number): string | undefined {
    const known = this.#pools.get(pool) ?? [];
    return known[n % known.length];
  }

  keep(pool: string, value: string): string {
    const known = this.#pools.get(pool) ?? [];
    this.#pools.set(pool, known);
    if (!known.includes(value)) known[known.length < KEPT_MAX ? known.length : this.#kept++ % KEPT_MAX] = value;
    return value;
  }

  keepClaim(claim: Claim): void {
    this.#claims[this.#claims.length < KEPT_MAX ? this.#claims.length : this.#kept++ % KEPT_MAX] = claim;
  }

  pickClaim(n: number): Claim | undefined {
    return this.#claims[n % this.#claims.length];
  }

  /** Keeps the ids and cursors in a JSON answer, however deep. */
  learn(operationId: string, value: unknown): void {
    if (Array.isArray(value)) for (const item of value) this.learn(operationId, item);
    if (!isRecord(value)) return;
    for (const [name, member] of Object.entries(value)) {
      if (typeof member === 'string') this.#learnText(operationId, value, name, member);
      else this.learn(operationId, member);
    }
  }

  #learnText(operationId: string, owner: Readonly<Record<string, unknown>>, name: string, text: string): void {
    if (text.length > 512) return;
    if (name === 'next_cursor') this.keep(`cursors of ${operationId}`, text);
    if (name === 'next_cursor') this.keep('cursors', text);
    if (name === 'id' && typeof owner.object === 'string') this.keep(collectionOf(owner.object), text);
    if (name.endsWith('_id')) this.keep(collectionOf(name.slice(0, -3)), text);
    if (name === 'provider') this.keep('providers', text);
  }
}

/** `webhook_delivery` → `webhook-deliveries`, `api_key` → `api-keys`: as the collection is called in paths. */
export function collectionOf(noun: string): string {
  return `${noun.replace(/(?<![aeiou])y$/, 'ie')}s`.replaceAll('_', '-');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
