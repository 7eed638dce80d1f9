/**
 * Pure: whether a URL may be an endpoint that we call (SSRF). Judged when an endpoint is made and again before each
 * attempt. It judges the text alone: what a name resolves to cannot be seen from a Worker (docs/webhooks.md says what
 * stands behind this). Called by HTTP and by the endpoint's object.
 */
import { WEBHOOK_URL_LENGTH_MAX } from './limits.ts';

export type WebhookUrlRefusal =
  | 'too_long'
  | 'not_a_url'
  | 'scheme'
  | 'credentials'
  | 'fragment'
  | 'ip_address'
  | 'host_name'
  | 'internal_host'
  | 'port';

export type WebhookUrlCheck =
  /** `url`: as the URL standard writes it. */
  { readonly ok: true; readonly url: string } | { readonly ok: false; readonly reason: WebhookUrlRefusal };

/** What each refusal says to a person; the URL itself is never repeated. */
export const WEBHOOK_URL_MESSAGES: Readonly<Record<WebhookUrlRefusal, string>> = {
  too_long: `Must have at most ${WEBHOOK_URL_LENGTH_MAX} characters.`,
  not_a_url: 'Must be an absolute URL.',
  scheme: 'Must begin with https://.',
  credentials: 'Must not contain a user name or a password.',
  fragment: 'Must not contain a fragment.',
  ip_address: 'Must name a host; an IP address is not taken.',
  host_name: 'Must name a host with a public domain.',
  internal_host: 'Must not name an internal host.',
  port: 'Must be on port 443 or 8443.',
};

/** '' is the scheme's own: 443. 8443 is the usual one beside it; any other finds what is not a public web server. */
const PORTS: readonly string[] = ['', '8443'];

/** This machine, by the names that sandbox mode takes, over http or https, on any port. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Last labels under which no public host is: reserved by RFC 2606, 6761, 6762, 7686, 8375 and 9476, set aside by ICANN for
 * private use (`internal`), or private by custom, cluster and cloud metadata names among them.
 */
const INTERNAL_SUFFIXES: readonly string[] = [
  'alt',
  'arpa',
  'cluster.local',
  'corp',
  'example',
  'home',
  'home.arpa',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'mail',
  'onion',
  'private',
  'svc',
  'test',
];

/** Letters, digits and inner hyphens: what the URL parser has turned names in other scripts into (punycode) fits too. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Checks, in order: length, as it came → is a URL → length, as it is written and judged again → no credentials → no fragment → (sandbox only: this machine, and nothing more is
 * asked of it) → https → not an IP address → a name with a domain → not an internal one → port.
 * The parser has made one form of every way to write a host by then: `0x7f.1`, `2130706433`, `①②⑦.⓪.⓪.①` and `%3127.0.0.1` are
 * `127.0.0.1`, and an IPv4 address inside an IPv6 one is in brackets (https://url.spec.whatwg.org/#host-parsing).
 */
export function checkWebhookUrl(text: string, mode: 'sandbox' | 'live'): WebhookUrlCheck {
  if (text.length > WEBHOOK_URL_LENGTH_MAX) return refused('too_long');
  const url = parse(text);
  if (url === null) return refused('not_a_url');
  // Written with escapes it can be several times as long; stored so, every attempt would be refused for it.
  if (url.href.length > WEBHOOK_URL_LENGTH_MAX) return refused('too_long');
  if (url.username !== '' || url.password !== '') return refused('credentials');
  if (url.hash !== '') return refused('fragment');
  const host = url.hostname.replace(/\.$/, '');
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  if (mode === 'sandbox' && isWeb && LOOPBACK.includes(host)) return { ok: true, url: url.href };
  if (url.protocol !== 'https:') return refused('scheme');
  if (host.startsWith('[') || /^[0-9]+(?:\.[0-9]+){3}$/.test(host)) return refused('ip_address');
  if (isInternal(host)) return refused('internal_host');
  const labels = host.split('.');
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label))) return refused('host_name');
  if (!PORTS.includes(url.port)) return refused('port');
  return { ok: true, url: url.href };
}

function isInternal(host: string): boolean {
  return INTERNAL_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
}

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    // The only thing it throws for: the text is no absolute URL.
    return null;
  }
}

function refused(reason: WebhookUrlRefusal): WebhookUrlCheck {
  return { ok: false, reason };
}
