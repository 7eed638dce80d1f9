/** How HTTP reaches the circuit breakers: one object per provider of this deployment. Called by the routes that show or force them. */
import type { BreakerView } from '../domain/provider-health.ts';
import { providersOf } from '../gateway/registry.ts';
import type { AppContext } from './context.ts';

export function providerNames(c: AppContext): string[] {
  return [...providersOf(c.env, c.get('config')).keys()];
}

export function healthOf(c: AppContext, provider: string) {
  return c.env.PROVIDER_HEALTH.getByName(provider);
}

/** Of every provider. */
export function readBreakers(
  c: AppContext,
): Promise<readonly { readonly provider: string; readonly views: readonly BreakerView[] }[]> {
  return Promise.all(
    providerNames(c).map(async (provider) => ({ provider, views: await healthOf(c, provider).read() })),
  );
}
