/**
 * What a request carries through the HTTP layer: the types of Hono's bindings and variables, in the order in which the
 * middleware sets them (src/http/app.ts). No behaviour.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Config } from '../config.ts';
import type { Scope } from '../domain/ids.ts';
import type { Trace } from '../domain/rpc.ts';

export interface Variables {
  /** Minted here, on every response as `Request-Id`. */
  requestId: string;
  trace: Trace;
  /** The code of the problem answered, for the log line. */
  problemCode?: string;
  config: Config;
  scope: Scope;
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
