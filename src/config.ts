/**
 * The environment's vars and secrets, parsed once per isolate into one typed value. Fails closed: what is missing or
 * unknown is a list of names, and every route but /health refuses while the list is not empty.
 */
import { z } from 'zod';
import { type ProvidersConfig, providersConfigOf, providerVarsSchema } from './config-providers.ts';
import { TRACES_RATIO_DEFAULT, type TracingConfig, tracingConfigOf, tracingVarsSchema } from './config-tracing.ts';
import { HOUR_MS, SECOND_MS } from './domain/limits.ts';
import type { SagaPolicy } from './domain/saga/policy.ts';
import { SAGA_POLICIES } from './domain/saga/policy.ts';

export interface Config {
  readonly mode: 'sandbox' | 'live';
  readonly auth: 'open' | 'required';
  /** Under which API keys are stored as HMACs; set wherever authentication is required. */
  readonly apiKeySecret?: string;
  /** `off` in sandbox only. */
  readonly rateLimits: 'on' | 'off';
  readonly policy: SagaPolicy;
  /** The real providers: none in sandbox, at least one in live mode. */
  readonly providers: ProvidersConfig;
  /** Where notifications are mailed as well; absent: nowhere. */
  readonly email?: { readonly from: string; readonly to: string };
  /** Where traces are exported to; absent: nowhere. */
  readonly tracing?: TracingConfig;
  /** The share of new traces that are sampled, 0 to 1, and so exported and logged; in a caller's trace the caller decides. */
  readonly sampleRatio: number;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  /** Names of the vars and secrets that are missing or not valid, for the log; never their values. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Every var and secret that is read, each by itself; `npm run deploy` judges what it is given by the same rules. */
export const varsSchema = z.object({
  MODE: z.enum(['sandbox', 'live']),
  AUTH: z.enum(['open', 'required']),
  /** Sandbox only, for load on one machine: lifts the rate limits. */
  RATE_LIMITS: z.enum(['on', 'off']).default('on'),
  /** Secret, 32 characters or more; keys are stored as HMACs under it. Needed where AUTH = required. */
  API_KEY_SECRET: z.string().min(32).optional(),
  /** Sandbox only, for tests and drills: how soon a command with no outcome is sent again, in milliseconds. */
  SAGA_RESEND_FIRST_MS: z.coerce.number().int().min(10).max(30_000).optional(),
  /** Sandbox only, for load on one machine: how long the gateway's step may begin calls, in milliseconds. */
  SAGA_AUTHORIZE_BUDGET_MS: z.coerce.number().int().min(SECOND_MS).max(HOUR_MS).optional(),
  /** Both or neither: notifications are mailed from and to these addresses, through the binding EMAIL. */
  NOTIFY_EMAIL_FROM: z.email().optional(),
  NOTIFY_EMAIL_TO: z.email().optional(),
  ...providerVarsSchema.shape,
  ...tracingVarsSchema.shape,
});

const parsed = new WeakMap<object, ConfigResult>();

/** The configuration of this environment. Parsed on first use, then remembered for the life of `env`. */
export function readConfig(env: object): ConfigResult {
  const known = parsed.get(env);
  if (known !== undefined) return known;
  const result = parseConfig(env);
  parsed.set(env, result);
  return result;
}

/**
 * Checks, in order: each var by itself → open authentication, and no rate limits, only in sandbox → the secret of the API keys → in live mode a
 * provider, whole → both addresses of the email channel, or neither.
 */
export function parseConfig(env: object): ConfigResult {
  const vars = varsSchema.safeParse(env);
  if (!vars.success) return { ok: false, problems: vars.error.issues.map((issue) => issue.path.join('.')) };
  const { MODE: mode, AUTH: auth, API_KEY_SECRET: keySecret } = vars.data;
  if (mode === 'live' && auth === 'open') return { ok: false, problems: ['AUTH'] };
  const { RATE_LIMITS: rateLimits } = vars.data;
  if (mode === 'live' && rateLimits === 'off') return { ok: false, problems: ['RATE_LIMITS'] };
  if (auth === 'required' && keySecret === undefined) return { ok: false, problems: ['API_KEY_SECRET'] };
  const providers = mode === 'live' ? providersConfigOf(vars.data) : {};
  if ('missing' in providers) return { ok: false, problems: providers.missing };
  const { NOTIFY_EMAIL_FROM: from, NOTIFY_EMAIL_TO: to } = vars.data;
  if ((from === undefined) !== (to === undefined)) {
    return { ok: false, problems: [from === undefined ? 'NOTIFY_EMAIL_FROM' : 'NOTIFY_EMAIL_TO'] };
  }
  const keys = keySecret !== undefined && { apiKeySecret: keySecret };
  const email = from !== undefined && to !== undefined && { email: { from, to } };
  const tracing = tracingConfigOf(vars.data);
  const sampleRatio = vars.data.OTEL_TRACES_SAMPLER_ARG ?? TRACES_RATIO_DEFAULT[mode];
  const config = {
    mode,
    auth,
    rateLimits,
    policy: mode === 'sandbox' ? sandboxPolicy(vars.data) : SAGA_POLICIES.live,
    providers,
    sampleRatio,
    ...keys,
    ...email,
    ...(tracing && { tracing }),
  };
  return { ok: true, config };
}

/** The sandbox's times, but for those that its vars set. */
function sandboxPolicy(vars: z.infer<typeof varsSchema>): SagaPolicy {
  const { SAGA_RESEND_FIRST_MS: firstMs, SAGA_AUTHORIZE_BUDGET_MS: authorizeBudgetMs } = vars;
  const { sandbox } = SAGA_POLICIES;
  return {
    ...sandbox,
    ...(firstMs !== undefined && {
      resend: { ...sandbox.resend, firstMs },
      resendGateway: { ...sandbox.resendGateway, firstMs },
    }),
    ...(authorizeBudgetMs !== undefined && { authorizeBudgetMs }),
  };
}
