import { describe, expect, test } from 'vitest';
import { WEBHOOK_URL_LENGTH_MAX } from '../../src/domain/limits.ts';
import { checkWebhookUrl, WEBHOOK_URL_MESSAGES, type WebhookUrlRefusal } from '../../src/domain/webhook-url.ts';

const REFUSED: readonly (readonly [url: string, reason: WebhookUrlRefusal])[] = [
  ['', 'not_a_url'],
  ['shop.io/hooks', 'not_a_url'],
  ['//shop.io/hooks', 'not_a_url'],
  ['https://', 'not_a_url'],
  ['https://shop io/', 'not_a_url'],
  ['https://256.1.1.1/', 'not_a_url'],
  ['https://1.2.3.4.5/', 'not_a_url'],
  [`https://shop.io/${'x'.repeat(WEBHOOK_URL_LENGTH_MAX)}`, 'too_long'],
  // Within the limit as it came, above it as it is written: `%C3%A9` for each.
  [`https://shop.io/${'é'.repeat(WEBHOOK_URL_LENGTH_MAX / 4)}`, 'too_long'],
  // Schemes.
  ['http://shop.io/hooks', 'scheme'],
  ['ftp://shop.io/', 'scheme'],
  ['file:///etc/passwd', 'scheme'],
  ['data:text/plain,x', 'scheme'],
  ['javascript:alert(1)', 'scheme'],
  ['gopher://shop.io/', 'scheme'],
  ['ws://shop.io/', 'scheme'],
  ['wss://shop.io/', 'scheme'],
  ['blob:https://shop.io/x', 'scheme'],
  ['localhost:8080/x', 'scheme'],
  // Credentials and fragments, also where the host that is meant is another than the one that is seen.
  ['https://user@shop.io/', 'credentials'],
  ['https://:password@shop.io/', 'credentials'],
  ['https://shop.io@10.0.0.1/', 'credentials'],
  ['https://shop.io:443@127.0.0.1/', 'credentials'],
  ['https://shop.io/#part', 'fragment'],
  // IPv4: private, loopback, link-local, metadata, CGNAT, documentation, benchmarking, multicast, reserved, broadcast, public.
  ['https://10.0.0.1/', 'ip_address'],
  ['https://172.16.0.1/', 'ip_address'],
  ['https://172.31.255.255/', 'ip_address'],
  ['https://192.168.1.1/', 'ip_address'],
  ['https://127.0.0.1/', 'ip_address'],
  ['https://127.1.2.3/', 'ip_address'],
  ['https://0.0.0.0/', 'ip_address'],
  ['https://169.254.169.254/latest/meta-data/', 'ip_address'],
  ['https://100.64.0.1/', 'ip_address'],
  ['https://100.100.100.200/', 'ip_address'],
  ['https://168.63.129.16/', 'ip_address'],
  ['https://192.0.2.1/', 'ip_address'],
  ['https://198.51.100.1/', 'ip_address'],
  ['https://203.0.113.1/', 'ip_address'],
  ['https://198.18.0.1/', 'ip_address'],
  ['https://224.0.0.1/', 'ip_address'],
  ['https://240.0.0.1/', 'ip_address'],
  ['https://255.255.255.255/', 'ip_address'],
  ['https://8.8.8.8/', 'ip_address'],
  // The same in other words: decimal, octal, hexadecimal, short, mixed, with a final dot, escaped, in other scripts.
  ['https://2130706433/', 'ip_address'],
  ['https://017700000001/', 'ip_address'],
  ['https://0x7f000001/', 'ip_address'],
  ['https://0177.0.0.1/', 'ip_address'],
  ['https://0x7f.1/', 'ip_address'],
  ['https://127.1/', 'ip_address'],
  ['https://127.0.0.1./', 'ip_address'],
  ['https://0xA9.0xFE.0xA9.0xFE/', 'ip_address'],
  ['https://2852039166/', 'ip_address'],
  ['https://%31%32%37.0.0.1/', 'ip_address'],
  ['https://①②⑦.⓪.⓪.①/', 'ip_address'],
  ['https://１２７.０.０.１/', 'ip_address'],
  ['https://127。0。0。1/', 'ip_address'],
  ['https:127.0.0.1/', 'ip_address'],
  ['https:/\\127.0.0.1/', 'ip_address'],
  ['ht\ntps://127.0.0.1/', 'ip_address'],
  // IPv6: loopback, unspecified, unique local, link-local, multicast, documentation, and IPv4 inside it.
  ['https://[::1]/', 'ip_address'],
  ['https://[::]/', 'ip_address'],
  ['https://[fc00::1]/', 'ip_address'],
  ['https://[fd12:3456:789a::1]/', 'ip_address'],
  ['https://[fe80::1]/', 'ip_address'],
  ['https://[ff02::1]/', 'ip_address'],
  ['https://[2001:db8::1]/', 'ip_address'],
  ['https://[::ffff:127.0.0.1]/', 'ip_address'],
  ['https://[::ffff:7f00:1]/', 'ip_address'],
  ['https://[::ffff:169.254.169.254]/', 'ip_address'],
  ['https://[64:ff9b::10.0.0.1]/', 'ip_address'],
  ['https://[fd00:ec2::254]/', 'ip_address'],
  ['https://[2606:4700:4700::1111]/', 'ip_address'],
  // Names of this machine and of internal networks.
  ['https://localhost/', 'internal_host'],
  ['https://LOCALHOST/', 'internal_host'],
  ['https://localhost./', 'internal_host'],
  ['https://lo%63alhost/', 'internal_host'],
  ['https://shop.localhost/', 'internal_host'],
  ['https://localhost.localdomain/', 'internal_host'],
  ['https://printer.local/', 'internal_host'],
  ['https://printer.LOCAL./', 'internal_host'],
  ['https://db.internal/', 'internal_host'],
  ['https://metadata.google.internal/', 'internal_host'],
  ['https://ip-10-0-0-1.ec2.internal/', 'internal_host'],
  ['https://kubernetes.default.svc/', 'internal_host'],
  ['https://kubernetes.default.svc.cluster.local/', 'internal_host'],
  ['https://router.lan/', 'internal_host'],
  ['https://nas.home.arpa/', 'internal_host'],
  ['https://1.0.0.127.in-addr.arpa/', 'internal_host'],
  ['https://wiki.corp/', 'internal_host'],
  ['https://wiki.intranet/', 'internal_host'],
  ['https://shop.test/', 'internal_host'],
  ['https://shop.example/', 'internal_host'],
  ['https://shop.invalid/', 'internal_host'],
  ['https://shop.onion/', 'internal_host'],
  ['https://shop.alt/', 'internal_host'],
  // Names without a domain, and what is no name.
  ['https://metadata/', 'host_name'],
  ['https://instance-data/latest/', 'host_name'],
  ['https://shop/', 'host_name'],
  ['https://-shop.io/', 'host_name'],
  ['https://shop-.io/', 'host_name'],
  ['https://shop..io/', 'host_name'],
  ['https://.io/', 'host_name'],
  [`https://${'x'.repeat(64)}.io/`, 'host_name'],
  ["https://shop'.io/", 'host_name'],
  // Ports.
  ['https://shop.io:80/', 'port'],
  ['https://shop.io:22/', 'port'],
  ['https://shop.io:6379/', 'port'],
  ['https://shop.io:8080/', 'port'],
  ['https://shop.io:0/', 'port'],
];

const TAKEN: readonly (readonly [url: string, written: string])[] = [
  ['https://shop.io', 'https://shop.io/'],
  ['https://shop.io/hooks?tenant=7', 'https://shop.io/hooks?tenant=7'],
  ['https://shop.io:443/hooks', 'https://shop.io/hooks'],
  ['https://shop.io:8443/hooks', 'https://shop.io:8443/hooks'],
  ['https://SHOP.io/Hooks', 'https://shop.io/Hooks'],
  ['https://hooks.example.com/', 'https://hooks.example.com/'],
  ['https://10.0.0.1.shop.io/', 'https://10.0.0.1.shop.io/'],
  ['https://localhost.shop.io/', 'https://localhost.shop.io/'],
  ['https://local.io/', 'https://local.io/'],
  ['https://my-local.io/a/../b', 'https://my-local.io/b'],
  ['https://straße.de/', 'https://xn--strae-oqa.de/'],
  ['https://3com.com/', 'https://3com.com/'],
];

const LOOPBACK = [
  'http://localhost:8787/hooks',
  'https://localhost/',
  'http://127.0.0.1:1/',
  'http://[::1]:9/',
  'http://0x7f.1:80/',
];

describe.each(['sandbox', 'live'] as const)('in %s mode', (mode) => {
  const kept = REFUSED.filter(([url]) => mode === 'live' || !isLoopback(url));

  test.each(kept)('%j is refused: %s', (url, reason) => {
    expect(checkWebhookUrl(url, mode)).toEqual({ ok: false, reason });
  });

  test.each(TAKEN)('%j is taken, and written in one way', (url, written) => {
    expect(checkWebhookUrl(url, mode)).toEqual({ ok: true, url: written });
    // It is judged anew before each attempt, as it is written.
    expect(checkWebhookUrl(written, mode)).toEqual({ ok: true, url: written });
  });
});

describe('this machine', () => {
  test.each(LOOPBACK)('%s is taken in sandbox mode only, on any port', (url) => {
    expect(checkWebhookUrl(url, 'sandbox')).toMatchObject({ ok: true });
    expect(checkWebhookUrl(url, 'live')).toMatchObject({ ok: false });
  });

  test.each([
    ['http://127.0.0.2/', 'scheme'],
    ['http://10.0.0.1/', 'scheme'],
    ['http://0.0.0.0/', 'scheme'],
    ['http://[::ffff:127.0.0.1]/', 'scheme'],
    ['http://shop.localhost/', 'scheme'],
    ['http://localhost.shop.io/', 'scheme'],
    ['ftp://localhost/', 'scheme'],
    ['http://user@localhost/', 'credentials'],
  ] as const)('is no way round: %s is refused in sandbox mode too: %s', (url, reason) => {
    expect(checkWebhookUrl(url, 'sandbox')).toEqual({ ok: false, reason });
  });
});

test('every refusal says what is wrong', () => {
  for (const reason of new Set(REFUSED.map(([, each]) => each))) expect(WEBHOOK_URL_MESSAGES[reason]).toMatch(/^Must /);
});

/** This machine, in whatever words: those rows are of live mode. */
function isLoopback(url: string): boolean {
  const host = URL.parse(url)?.hostname.replace(/\.$/, '') ?? '';
  return ['localhost', '127.0.0.1', '[::1]'].includes(host) && !url.includes('@');
}
