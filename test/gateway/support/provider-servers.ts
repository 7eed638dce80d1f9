/** Starts the simulated Stripe and Mercado Pago on loopback for a test run: vitest's `globalSetup`, in Node. */
import type { TestProject } from 'vitest/node';
import { MercadoPagoAccount } from './mercado-pago-server.ts';
import { startProviderServer } from './provider-server.ts';
import { StripeAccount } from './stripe-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    stripeUrl: string;
    mercadoPagoUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const stripe = await startProviderServer(() => new StripeAccount(), 'idempotency-key');
  const mercadoPago = await startProviderServer(() => new MercadoPagoAccount(), 'x-idempotency-key');
  project.provide('stripeUrl', stripe.url);
  project.provide('mercadoPagoUrl', mercadoPago.url);
  return () => {
    for (const { server } of [stripe, mercadoPago]) {
      // Hung requests are part of the tests: nobody waits for them.
      server.closeAllConnections();
      server.close();
    }
  };
}
