/** What flow tests do as a client would: post, wait with a bound, read the wallet, and look into the provider's books. */
import { env, exports } from 'cloudflare:workers';
import type { ChargeEntry } from '../../durable-objects/sandbox-provider/books.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { EntryView, WalletView } from '../../src/domain/wallet-rpc.ts';

let lastKey = 0;

/** A key no other test of this file uses. */
export function freshKey(prefix = 'key'): string {
  lastKey += 1;
  return `${prefix}-${lastKey}`;
}

export async function call(path: string, init?: RequestInit): Promise<Response> {
  return exports.default.fetch(`http://holdfast.test${path}`, init);
}

export async function json<Body>(path: string): Promise<Body> {
  const response = await call(path);
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return response.json<Body>();
}

export async function postPayment(
  body: Record<string, unknown>,
  key = freshKey(),
  headers: Record<string, string> = {},
): Promise<Response> {
  return call('/payments', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
    body: JSON.stringify({
      service_id: 'svc-1',
      amount: 1230,
      currency: 'USD',
      method: 'balance',
      ...body,
    }),
  });
}

export async function createPayment(body: Record<string, unknown>, key = freshKey()): Promise<PaymentView> {
  const response = await postPayment(body, key);
  // 201: it has ended already.
  if (![201, 202].includes(response.status))
    throw new Error(`POST /payments: ${response.status} ${await response.text()}`);
  return response.json<PaymentView>();
}

/** The payment once it is terminal. @throws after `boundMs`, with the state that it is stuck in. */
export async function terminal(id: string, boundMs = 30_000): Promise<PaymentView> {
  return until(
    () => json<PaymentView>(`/payments/${id}`),
    (payment) => payment.status !== 'PENDING',
    boundMs,
  );
}

/** What `read` gives once `holds` is true of it. @throws after `boundMs`, with what it last gave. */
export async function until<Value>(
  read: () => Promise<Value>,
  holds: (value: Value) => boolean,
  boundMs = 30_000,
): Promise<Value> {
  const endMs = Date.now() + boundMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > endMs) throw new Error(`not within ${boundMs} ms; last: ${JSON.stringify(value).slice(0, 2_000)}`);
    await scheduler.wait(20);
  }
}

export async function openWallet(id: string, amount: number, currency = 'USD'): Promise<void> {
  const opened = await call('/wallets', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id, currency }),
  });
  if (!opened.ok) throw new Error(`POST /wallets: ${opened.status} ${await opened.text()}`);
  if (amount === 0) return;
  const deposited = await call(`/wallets/${id}/deposits`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('deposit') },
    body: JSON.stringify({ amount, currency }),
  });
  if (!deposited.ok) throw new Error(`deposit: ${deposited.status} ${await deposited.text()}`);
}

export async function wallet(id: string): Promise<WalletView> {
  return json<WalletView>(`/wallets/${id}`);
}

/** The wallet's ledger, oldest first (tests keep it under one page). */
export async function entries(id: string): Promise<EntryView[]> {
  const page = await json<{ data: EntryView[] }>(`/wallets/${id}/entries?limit=100`);
  return page.data.reverse();
}

/** The events of a payment, by type, in order. */
export async function timeline(id: string): Promise<string[]> {
  const page = await json<{ data: { event_type: string }[] }>(`/payments/${id}/events`);
  return page.data.map((event) => event.event_type);
}

export function provider(name: string) {
  return env.SANDBOX_PROVIDER.getByName(name);
}

/** Every charge in a provider's own books. */
export async function chargesAt(name: string): Promise<readonly ChargeEntry[]> {
  const all: ChargeEntry[] = [];
  for (let more = true; more; ) {
    const page = await provider(name).books({ afterCharge: all.at(-1)?.key ?? '' });
    all.push(...page.charges);
    more = page.more;
  }
  return all;
}

/** What a provider's own books say of a payment, or null when it knows nothing of it. */
export async function chargeOf(paymentId: string, at = 'acme') {
  // Keys begin with the payment's id, so the page after its bare id begins with its charge.
  const { charges } = await provider(at).books({ afterCharge: paymentId, limit: 1 });
  const [charge] = charges;
  return charge !== undefined && charge.paymentId === paymentId ? charge : null;
}
