/** Which requests to a provider carry a `traceparent`: those of an adapter that was told one, and no others. */
import { describe, expect, it } from 'vitest';
import type { ChargeRequest, Provider } from '../../src/gateway/provider.ts';
import { MercadoPagoAdapter } from '../../src/gateway/providers/mercado-pago.ts';
import { SandboxAdapter, type SandboxHost } from '../../src/gateway/providers/sandbox.ts';
import { StripeAdapter } from '../../src/gateway/providers/stripe.ts';

const TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const CHARGE: ChargeRequest = {
  paymentId: 'pay_1',
  key: 'pay_1.c',
  effectId: 'effect-1',
  chargeKey: 'pay_1.a',
  chargeReference: '123',
  amountMinor: 1_230,
  currency: 'USD',
};

/** Answers every request with nothing that can be read, and keeps what it was sent. */
class Listener {
  readonly heard: (string | null)[] = [];

  async fetch(request: Request): Promise<Response> {
    this.heard.push(request.headers.get('traceparent'));
    return new Response('{}', { status: 500 });
  }
}

const ADAPTERS: readonly [name: string, make: (fetcher: Listener) => Provider][] = [
  ['the sandbox', (fetcher) => new SandboxAdapter('acme', () => fetcher as unknown as SandboxHost)],
  ['Stripe', (fetcher) => new StripeAdapter({ secretKey: 'sk_test_1', webhookSecret: 'whsec_1', fetcher })],
  [
    'Mercado Pago',
    (fetcher) => new MercadoPagoAdapter({ accessToken: 'TEST-1', webhookSecret: 'w', currency: 'USD', fetcher }),
  ],
];

describe.each(ADAPTERS)('%s', (_name, make) => {
  it('is told the trace of a call that has one, and of no other', async () => {
    const listener = new Listener();
    const provider = make(listener);
    expect(await provider.traced?.(TRACEPARENT).capture(CHARGE)).toMatchObject({ kind: 'unknown' });
    expect(new Set(listener.heard)).toEqual(new Set([TRACEPARENT]));
    listener.heard.length = 0;
    await provider.capture(CHARGE);
    expect(new Set(listener.heard)).toEqual(new Set([null]));
  });
});
