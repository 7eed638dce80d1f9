/**
 * Which providers exist in this environment, by name. A provider that is not configured is not in the list: a payment is
 * not taken to it, and any other call for it is refused as misconfigured. The sandbox providers do not exist in live mode, nor real ones in sandbox.
 */
import type { Config } from '../config.ts';
import type { Provider } from './provider.ts';
import { MercadoPagoAdapter } from './providers/mercado-pago.ts';
import { SandboxAdapter } from './providers/sandbox.ts';
import { SANDBOX_PROVIDERS } from './providers/sandbox-protocol.ts';
import { StripeAdapter } from './providers/stripe.ts';

export type Providers = ReadonlyMap<string, Provider>;

/** The providers of the environment's mode. Cheap: an adapter holds no connection. */
export function providersOf(env: Env, config: Config): Providers {
  if (config.mode === 'live') return liveProviders(config.providers);
  return new Map(
    SANDBOX_PROVIDERS.map((name) => [name, new SandboxAdapter(name, () => env.SANDBOX_PROVIDER.getByName(name))]),
  );
}

function liveProviders({ stripe, mercadoPago }: Config['providers']): Providers {
  const providers: Provider[] = [];
  if (stripe !== undefined) providers.push(new StripeAdapter(stripe));
  if (mercadoPago !== undefined) providers.push(new MercadoPagoAdapter(mercadoPago));
  return new Map(providers.map((provider) => [provider.name, provider]));
}
