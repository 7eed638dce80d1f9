/**
 * How the console speaks to the API: one function for a JSON request, with the operator's key, and errors that carry the
 * problem's own words. The key is kept for this tab only (sessionStorage), and sent to this origin only.
 */
const KEY_STORE = 'holdfast.key';
const TIMEOUT_MS = 30_000;

/** A problem that the API answered (RFC 9457), or that it could not be asked. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(status: number, code: string, message: string, requestId: string | null = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }

  /** Whether nothing at all is answered with this key. */
  get asksForKey(): boolean {
    return this.status === 401;
  }
}

export function storedKey(): string | null {
  return sessionStorage.getItem(KEY_STORE);
}

export function storeKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(KEY_STORE);
  else sessionStorage.setItem(KEY_STORE, key);
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Told whenever the API refuses for want of a key: the shell shows the key form. */
let onKeyAsked: (error: ApiError) => void = () => undefined;

export function whenKeyIsAsked(listener: (error: ApiError) => void): void {
  onKeyAsked = listener;
}

/** A response that is good, whatever is in it. @throws ApiError for any other, and when nothing answers. */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  const key = storedKey();
  const init: RequestInit = {
    method: options.method ?? 'GET',
    headers: {
      accept: 'application/json',
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...options.headers,
    },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    ...(options.signal !== undefined && { signal: options.signal }),
    cache: 'no-store',
    credentials: 'omit',
  };
  const response = await fetch(path, init).catch((error: unknown) => {
    // Called off, or not answered in time: what was asked may have been done, and that is not to be unreachable.
    if (options.signal?.aborted === true) throw error;
    throw new ApiError(0, 'unreachable', 'The service could not be reached.');
  });
  if (response.ok) return response;
  const error = await errorOf(response);
  // A key without `ops` is of no use here. One that lacks another scope may do for other views: what it may not see says so in place.
  if (error.asksForKey || (error.status === 403 && path.startsWith('/ops/overview'))) onKeyAsked(error);
  throw error;
}

/** The JSON of a good answer. @throws ApiError */
export async function api<Body>(path: string, options: RequestOptions = {}): Promise<Body> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  return (await (await request(path, { ...options, signal })).json()) as Body;
}

interface ProblemBody {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly request_id?: string;
  readonly errors?: readonly { readonly pointer: string; readonly message: string }[];
}

async function errorOf(response: Response): Promise<ApiError> {
  const body = await response.json().catch((): ProblemBody => ({}));
  const { title, detail, code, request_id: requestId, errors = [] } = body as ProblemBody;
  const fields = errors.map(({ pointer, message }) => `${pointer}: ${message}`);
  const text = [detail ?? title ?? `The service answered ${response.status}.`, ...fields].join(' ');
  return new ApiError(response.status, code ?? String(response.status), text, requestId ?? null);
}

/** A path with those of the parameters that have a value. */
export function pathOf(path: string, query: Readonly<Record<string, string | number | null | undefined>>): string {
  const entries = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === null || value === '' ? [] : [[name, String(value)]],
  );
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries)}`;
}
