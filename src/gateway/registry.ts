/**
 * Which providers exist in this environment, by name. A provider whose configuration is incomplete is not in the list, and a
 * call for it is refused as misconfigured. The sandbox providers do not exist in live mode, nor real ones in sandbox.
 */
import type { Config } from '../config.ts';
import type { Provider } from './provider.ts';
import { SandboxAdapter } from './providers/sandbox.ts';
import { SANDBOX_PROVIDERS } from './providers/sandbox-protocol.ts';

export type Providers = ReadonlyMap<string, Provider>;

/** The providers of the environment's mode. Cheap: an adapter holds no connection. */
export function providersOf(env: Env, config: Config): Providers {
  if (config.mode === 'live') return new Map();
  return new Map(
    SANDBOX_PROVIDERS.map((name) => [name, new SandboxAdapter(name, () => env.SANDBOX_PROVIDER.getByName(name))]),
  );
}
