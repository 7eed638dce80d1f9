/**
 * What a request carries through the HTTP layer: the types of Hono's bindings and variables, in the order in which the
 * middleware sets them (src/http/app.ts). No behaviour.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Config } from '../config.ts';
import type { KeyScope, Purview, Role } from '../domain/api-key.ts';
import type { Scope } from '../domain/ids.ts';
import type { Trace } from '../domain/saga-rpc.ts';
import type { RateLimitName } from './rate-limits.ts';

/** The API key that a request was made with. */
export interface ApiKeyIdentity {
  readonly id: string;
  /** null: a platform key. */
  readonly merchant: string | null;
  readonly scopes: readonly KeyScope[];
}

/** Who asks, and what they may do. */
export interface Caller {
  /** The id of the key, or `bootstrap`; null where authentication is open. */
  readonly credential: string | null;
  /** null: of no merchant, but of the platform. */
  readonly merchant: string | null;
  readonly roles: ReadonlySet<Role>;
}

export interface Variables {
  /** Minted here, on every response as `Request-Id`. */
  requestId: string;
  trace: Trace;
  /** The code of the problem answered, for the log line. */
  problemCode?: string;
  config: Config;
  /** Absent where authentication is open, and for a bootstrap token. */
  apiKey?: ApiKeyIdentity;
  caller: Caller;
  /** A provider's callback whose signature is right: authenticated, though nobody's. */
  isSigned?: true;
  /** Who the request acts for; of a platform key, a merchant that there is not. */
  scope: Scope;
  /** What an operator sees: on the routes under /ops. */
  purview: Purview;
  /** The limits that the request was counted by, in their order; absent where they are lifted. */
  rateLimits?: readonly RateLimitName[];
  idempotencyKey: string;
  /** The payment or refund that the request was about, once known; for the log line. */
  entityId?: string;
}

export interface AppEnv {
  Bindings: Env;
  Variables: Variables;
}

export type App = OpenAPIHono<AppEnv>;
export type AppContext = Context<AppEnv>;
