/**
 * Pure: the rate limits, what each counts by, and what their headers say. The platform counts (`[[ratelimits]]` in wrangler.toml,
 * whose numbers stand here again, since the binding tells nobody); the middleware asks. Why these: docs/security.md.
 */

interface RateLimitPolicy {
  readonly binding: 'ADDRESS_RATE_LIMIT' | 'KEY_RATE_LIMIT' | 'CALLBACK_RATE_LIMIT';
  readonly limit: number;
  readonly periodSeconds: 10 | 60;
  /** After "too many requests". */
  readonly of: string;
}

/** By the names that the headers have. */
export const RATE_LIMITS = {
  address: { binding: 'ADDRESS_RATE_LIMIT', limit: 2_000, periodSeconds: 10, of: 'from this address' },
  'api-key': { binding: 'KEY_RATE_LIMIT', limit: 1_000, periodSeconds: 10, of: 'with this API key' },
  callbacks: { binding: 'CALLBACK_RATE_LIMIT', limit: 2_000, periodSeconds: 10, of: 'from this address' },
} as const satisfies Record<string, RateLimitPolicy>;

export type RateLimitName = keyof typeof RATE_LIMITS;

/** Longer than any address: what is longer is no address, and is not carried on. */
const ADDRESS_LENGTH_MAX = 64;
const IPV6_GROUPS = 8;
/** A subscriber is given a /64 at least, and so 2^64 addresses to come from. */
const IPV6_GROUPS_KEPT = 4;
const MAPPED_IPV4 = /^::ffff:((?:[0-9]{1,3}\.){3}[0-9]{1,3})$/i;

/**
 * Whom an address stands for: an IPv4 address for itself, an IPv6 address for its /64, however it is written. Requests without
 * one are counted together: the platform always says it.
 */
export function addressPartition(address: string | undefined): string {
  if (address === undefined || address === '') return 'unknown';
  const text = address.slice(0, ADDRESS_LENGTH_MAX);
  const mapped = MAPPED_IPV4.exec(text)?.[1];
  if (mapped !== undefined) return mapped;
  if (!text.includes(':')) return text;
  const [head = '', tail] = text.toLowerCase().split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const absent = tail === undefined ? 0 : Math.max(0, IPV6_GROUPS - before.length - after.length);
  const groups = [...before, ...new Array<string>(absent).fill('0'), ...after].slice(0, IPV6_GROUPS_KEPT);
  return `${groups.join(':')}::/64`;
}

/** Without their leading zeros. */
function groupsOf(part: string): string[] {
  return part === '' ? [] : part.split(':').map((group) => group.replace(/^0+(?=.)/, ''));
}

/** `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-10: the policies that this request was counted by. */
export function rateLimitPolicy(names: readonly RateLimitName[]): string {
  return names.map((name) => `"${name}";q=${RATE_LIMITS[name].limit};w=${RATE_LIMITS[name].periodSeconds}`).join(', ');
}

/**
 * The headers of a refusal. Nothing is left: that is what the platform said. When there is more it does not say, so the whole period is
 * named: never too short.
 */
export function refusalHeaders(name: RateLimitName): Readonly<Record<'RateLimit' | 'Retry-After', string>> {
  const { periodSeconds } = RATE_LIMITS[name];
  return { RateLimit: `"${name}";r=0;t=${periodSeconds}`, 'Retry-After': String(periodSeconds) };
}

/** Bindings that this environment lacks: without them nothing is limited, and that is not to go unnoticed. */
export function missingRateLimits(env: object): string[] {
  return Object.values(RATE_LIMITS).flatMap(({ binding }) =>
    Reflect.get(env, binding) === undefined ? [binding] : [],
  );
}
