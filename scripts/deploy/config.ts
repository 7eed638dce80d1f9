/**
 * Pure: what is deployed for an environment, made from the committed wrangler.toml and nothing else (decision 0073): the live one
 * as it stands, the sandbox under names of its own. Refuses a file that is not closed, and queues that lose messages.
 */
import { z } from 'zod';
import { SANDBOX_QUEUE_PREFIX } from '../../src/domain/queue-names.ts';
import { DeployError } from './fail.ts';

export const ENVIRONMENTS = ['sandbox', 'live'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** As much of wrangler's configuration as is changed or provisioned; the rest goes through as it is. */
const committedSchema = z.looseObject({
  name: z.string().min(1),
  vars: z.looseObject({ MODE: z.string(), AUTH: z.string() }),
  route: z.unknown().optional(),
  routes: z.array(z.unknown()).optional(),
  workers_dev: z.boolean().optional(),
  d1_databases: z.array(z.looseObject({ binding: z.string(), database_name: z.string(), database_id: z.string() })),
  queues: z.looseObject({
    producers: z.array(z.looseObject({ queue: z.string() })),
    consumers: z.array(z.looseObject({ queue: z.string(), dead_letter_queue: z.string().optional() })),
  }),
  r2_buckets: z.array(z.looseObject({ bucket_name: z.string() })).optional(),
  ratelimits: z.array(z.looseObject({ namespace_id: z.string().regex(/^[0-9]+$/) })).optional(),
});
export type WorkerConfig = z.infer<typeof committedSchema>;

/** What an environment needs to be there, by name. */
export interface Wanted {
  readonly worker: string;
  readonly databases: readonly string[];
  readonly queues: readonly string[];
  readonly buckets: readonly string[];
}

/**
 * The configuration of an environment. Checks, in order: it has what is read here → it is closed → every queue has a consumer
 * → what a queue gives up goes to a queue that has one.
 * @throws DeployError for the first that does not hold.
 */
export function configOf(environment: Environment, committed: unknown): WorkerConfig {
  const parsed = committedSchema.safeParse(committed);
  if (!parsed.success) throw new DeployError(`wrangler.toml: ${z.prettifyError(parsed.error)}`);
  const config = parsed.data;
  requireClosed(config);
  requireConsumers(config.queues);
  return environment === 'live' ? liveOf(config) : sandboxOf(config);
}

/** What is deployed is closed, in either environment, whatever a flag or a hand has changed. */
export function requireClosed({ vars }: WorkerConfig): void {
  if (vars.AUTH !== 'required')
    throw new DeployError(`wrangler.toml says AUTH = "${vars.AUTH}": only "required" is deployed`);
  if (vars.MODE !== 'live') {
    throw new DeployError(`wrangler.toml says MODE = "${vars.MODE}": it stays "live"; --env sandbox makes the other`);
  }
  const others = Object.keys(vars).filter((name) => name !== 'MODE' && name !== 'AUTH');
  if (others.length > 0) {
    throw new DeployError(
      `wrangler.toml sets ${others.join(', ')}: what opens a sandbox on one machine is not deployed`,
    );
  }
}

function requireConsumers({ producers, consumers }: WorkerConfig['queues']): void {
  const consumed = new Set(consumers.map(({ queue }) => queue));
  const sentTo = [
    ...producers.map(({ queue }) => queue),
    ...consumers.flatMap(({ dead_letter_queue: dead }) => (dead === undefined ? [] : [dead])),
  ];
  const lost = sentTo.find((queue) => !consumed.has(queue));
  if (lost !== undefined) throw new DeployError(`wrangler.toml: nothing consumes the queue ${lost}`);
}

/** Behind a route of its own it has no second door: what stands before the zone (WAF, Access) does not before workers.dev. */
function liveOf(config: WorkerConfig): WorkerConfig {
  return config.route === undefined && config.routes === undefined ? config : { ...config, workers_dev: false };
}

/** The routes are live's; a route has one Worker. */
function sandboxOf({ route, routes, ...config }: WorkerConfig): WorkerConfig {
  const { producers, consumers } = config.queues;
  return {
    ...config,
    workers_dev: true,
    name: `${config.name}-sandbox`,
    vars: { ...config.vars, MODE: 'sandbox' },
    d1_databases: config.d1_databases.map((each) => ({ ...each, database_name: `${each.database_name}-sandbox` })),
    queues: {
      ...config.queues,
      producers: producers.map((each) => ({ ...each, queue: `${SANDBOX_QUEUE_PREFIX}${each.queue}` })),
      consumers: consumers.map(({ queue, dead_letter_queue: dead, ...rest }) => ({
        ...rest,
        queue: `${SANDBOX_QUEUE_PREFIX}${queue}`,
        ...(dead !== undefined && { dead_letter_queue: `${SANDBOX_QUEUE_PREFIX}${dead}` }),
      })),
    },
    ...(config.r2_buckets !== undefined && {
      r2_buckets: config.r2_buckets.map((each) => ({ ...each, bucket_name: `${each.bucket_name}-sandbox` })),
    }),
    // Counters of the account, by number: two Workers with one would use up each other's limits.
    ...(config.ratelimits !== undefined && {
      ratelimits: config.ratelimits.map((each) => ({ ...each, namespace_id: `9${each.namespace_id}` })),
    }),
  };
}

export function wantedBy(config: WorkerConfig): Wanted {
  return {
    worker: config.name,
    databases: config.d1_databases.map(({ database_name: name }) => name),
    queues: config.queues.consumers.map(({ queue }) => queue),
    buckets: (config.r2_buckets ?? []).map(({ bucket_name: name }) => name),
  };
}

/** With the ids of the databases that the account has; one that is not there yet keeps the id that deploys nowhere. */
export function withDatabaseIds(config: WorkerConfig, ids: ReadonlyMap<string, string>): WorkerConfig {
  return {
    ...config,
    d1_databases: config.d1_databases.map((each) => ({
      ...each,
      database_id: ids.get(each.database_name) ?? each.database_id,
    })),
  };
}
