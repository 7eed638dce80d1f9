/**
 * Sends one operation until it is answered, refused for good, or out of attempts. The idempotency key is made once, before the first
 * attempt, and is the same in each: that, and nothing else, makes sending again safe. Uses `fetch` and nothing of any one runtime.
 */
import { HoldfastError, type HoldfastFailure } from './errors.ts';
import { OPERATIONS, type Operations, type Problem, TEXT_ANSWERS } from './generated.ts';
import { type Fault, RETRY_DEFAULT, type RetryPolicy, retryAfterMs, waitBeforeNext } from './retry.ts';

export interface TransportOptions {
  /** Where the service is: `https://holdfast.example.workers.dev`. No query, and no credentials. */
  readonly baseUrl: string;
  /** Sent as `Authorization: Bearer`; absent where the service asks for none (a local sandbox). */
  readonly apiKey?: string;
  readonly retry?: Partial<RetryPolicy>;
  /** Of one attempt, until its answer has been read whole; on top of what `wait` asks for. */
  readonly attemptTimeoutMs?: number;
  /** Another `fetch`: a service binding's, or a test's. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

export interface CallOptions {
  /** Ends the call, waits between attempts too. What has been sent may still be carried out. */
  readonly signal?: AbortSignal;
}

export interface PayOptions extends CallOptions {
  /** Yours, kept with what it is for: then a crash of the caller is a retry too. Absent: made for this call. */
  readonly idempotencyKey?: string;
  /** Seconds, 0 to 25: the answer is held until the end, or so long (`Prefer: wait`). */
  readonly waitSeconds?: number;
}

export type Name = keyof Operations;
/** `path`, `query` and `body` of an operation, as far as it has them. */
export type Input<Of extends Name> = Omit<Operations[Of], 'answer'>;
export type Answer<Of extends Name> = Operations[Of]['answer'];

const ATTEMPT_TIMEOUT_MS = 30_000;

interface Parts {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #policy: RetryPolicy;
  readonly #fetch: (request: Request) => Promise<Response>;

  /** @throws TypeError for a `baseUrl` that is no address, or an `apiKey` that is no key. */
  constructor(options: TransportOptions) {
    checkAddress(options.baseUrl);
    // Said here, since what `Headers` says of it has the key in it. The line break at a file's end is not sent.
    if (!/^[\x21-\x7e]*$/.test(options.apiKey?.trim() ?? '')) throw new TypeError('apiKey is not visible ASCII');
    this.#options = options;
    this.#policy = { ...RETRY_DEFAULT, ...options.retry };
    // Not the function itself: browsers refuse a `fetch` that is not called on its global.
    this.#fetch = options.fetch ?? ((request) => fetch(request));
  }

  get policy(): RetryPolicy {
    return this.#policy;
  }

  get attemptTimeoutMs(): number {
    return this.#options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS;
  }

  /** @throws HoldfastError and nothing else. */
  async call<Of extends Name>(name: Of, input: Input<Of>, options: PayOptions = {}): Promise<Answer<Of>> {
    const { hasKey, resend } = OPERATIONS[name];
    const key = hasKey ? (options.idempotencyKey ?? crypto.randomUUID()) : undefined;
    const keyed = key === undefined ? {} : { idempotencyKey: key };
    const request = (signal: AbortSignal) =>
      this.request(name, input, signal, headersOf(key, options.waitSeconds), keyed);
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(options.signal, attempt - 1, key);
      const ended = await this.#attempt<Answer<Of>>(name, request, options);
      if (ended.ok) return ended.answer;
      throwIfAborted(options.signal, attempt, key);
      const sent = { attempts: attempt, ...keyed };
      const waitMs = waitBeforeNext(this.#policy, attempt, ended.fault, resend, Math.random());
      if (waitMs === null) throw new HoldfastError({ ...sent, ...ended.failure } as HoldfastFailure, ended.cause);
      await pause(waitMs, options.signal);
    }
  }

  /** One attempt's request, also of what is no JSON (a stream of events). @throws HoldfastError `not_sent` */
  request<Of extends Name>(
    name: Of,
    input: Input<Of>,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>>,
    keyed: { readonly idempotencyKey?: string } = {},
  ): Request {
    try {
      return this.#request(name, input, signal, headers);
    } catch (cause) {
      // The first attempt's, before anything was sent: the next ones are made of the same.
      throw new HoldfastError({ kind: 'not_sent', attempts: 0, ...keyed }, cause);
    }
  }

  #request<Of extends Name>(
    name: Of,
    input: Input<Of>,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>>,
  ): Request {
    const { method, path } = OPERATIONS[name];
    const parts = input as Parts;
    const filled = path.replace(/\{(\w+)\}/g, (_, member: string) => encodeURIComponent(parts.path?.[member] ?? ''));
    const url = new URL(`${this.#options.baseUrl.replace(/\/+$/, '')}${filled}`);
    for (const [member, value] of Object.entries(parts.query ?? {})) {
      if (value !== undefined) url.searchParams.set(member, String(value));
    }
    const { apiKey } = this.#options;
    return new Request(url, {
      method,
      signal,
      // An API does not redirect: what does is something in between, and is not to be given the key.
      redirect: 'manual',
      headers: {
        Accept: 'application/json',
        ...(apiKey !== undefined && { Authorization: `Bearer ${apiKey}` }),
        ...(parts.body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(parts.body !== undefined && { body: JSON.stringify(parts.body) }),
    });
  }

  /** @throws what `fetch` throws. */
  send(request: Request): Promise<Response> {
    return this.#fetch(request);
  }

  async #attempt<Body>(
    name: Name,
    request: (signal: AbortSignal) => Request,
    { signal, waitSeconds = 0 }: PayOptions,
  ): Promise<Ended<Body>> {
    const timeout = AbortSignal.timeout(this.attemptTimeoutMs + waitSeconds * 1_000);
    const made = request(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
    try {
      const response = await this.#fetch(made);
      // Read whole within the attempt: a connection that is cut in the middle of an answer is no answer.
      return endedBy(response, await response.text(), TEXT_ANSWERS.has(name));
    } catch (cause) {
      return unanswered(timeout.aborted ? 'timeout' : 'network', cause);
    }
  }
}

function checkAddress(baseUrl: string): void {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    `${url.username}${url.password}${url.search}${url.hash}` !== ''
  ) {
    throw new TypeError('baseUrl is not an address to which a path can be added: https://host, or https://host/path');
  }
}

/** How an attempt failed: for whether to try again, and for the error if not. */
export interface Failed {
  readonly ok: false;
  readonly fault: Fault;
  readonly failure: object;
  readonly cause?: unknown;
}

type Ended<Body> = { readonly ok: true; readonly answer: Body } | Failed;

/** Whatever `fetch` throws, by whatever name the runtime gives it: nothing came back. */
export function unanswered(reason: 'network' | 'timeout', cause?: unknown): Failed {
  return { ok: false, fault: { kind: 'no_answer' }, failure: { kind: 'no_answer', reason }, cause };
}

function headersOf(key: string | undefined, waitSeconds: number | undefined): Record<string, string> {
  return {
    ...(key !== undefined && { 'Idempotency-Key': key }),
    ...(waitSeconds !== undefined && { Prefer: `wait=${waitSeconds}` }),
  };
}

function endedBy<Body>(response: Response, text: string, isText: boolean): Ended<Body> {
  if (response.ok) {
    const answer = isText ? text : objectIn(response, text);
    if (answer !== null) return { ok: true, answer: answer as Body };
  }
  return failedBy(response, text);
}

/** The JSON that every answer of ours is, if not text; null: a page of something in between, or cut. */
function objectIn({ headers }: Response, text: string): object | null {
  const value = /json/.test(headers.get('Content-Type') ?? '') ? jsonOf(text) : null;
  return typeof value === 'object' ? value : null;
}

/** What an answer that is no success of ours comes down to. */
export function failedBy({ status, headers }: Response, text: string): Failed {
  const afterMs = retryAfterMs(headers.get('Retry-After'), Date.now());
  const problem = problemIn(text);
  if (problem !== null) {
    const retry = afterMs === null ? {} : { retryAfterMs: afterMs };
    return {
      ok: false,
      fault: { kind: 'problem', status, retryable: problem.retryable, retryAfterMs: afterMs },
      failure: { kind: 'problem', problem, ...retry },
    };
  }
  // A success that is not ours is something in between, too: a page that asks for a sign-in, and is gone a moment later.
  const isGateway = status >= 500 || status < 300;
  return {
    ok: false,
    fault: isGateway
      ? { kind: 'bad_gateway', retryAfterMs: afterMs }
      : { kind: 'problem', status, retryable: status === 429, retryAfterMs: afterMs },
    failure: { kind: 'no_answer', reason: status >= 500 ? 'bad_gateway' : 'not_ours', status },
  };
}

/** Ours have a code, whatever their content type has become on the way; null: the answer of something in between. */
function problemIn(text: string): Problem | null {
  const value = jsonOf(text) as Partial<Problem> | null | undefined;
  return typeof value?.code === 'string' && typeof value.retryable === 'boolean' ? (value as Problem) : null;
}

/** undefined: it is not JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws HoldfastError `aborted` where the caller's signal says so: also a `fetch` that knows nothing of signals is not called any more. */
export function throwIfAborted(signal: AbortSignal | undefined, attempts: number, idempotencyKey?: string): void {
  if (signal?.aborted !== true) return;
  const sent = { attempts, ...(idempotencyKey !== undefined && { idempotencyKey }) };
  throw new HoldfastError({ ...sent, kind: 'aborted' }, signal.reason);
}

/** Ends early when the signal does: what comes next sees that it has. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
