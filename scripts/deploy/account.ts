/**
 * Reads from the account what a plan needs to know. Changes nothing. Where wrangler has JSON it is read as such; where it has
 * only text, one exact line decides, and what cannot be read is an error, never taken for "not there".
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from '../local-worker.ts';
import type { Wanted, WorkerConfig } from './config.ts';
import { DeployError } from './fail.ts';
import type { Found } from './plan.ts';
import { failed, mustRun, type Wrangler } from './wrangler.ts';

/** Each call is a process of its own: more at once would only wait for each other. */
const CALLS_AT_ONCE = 3;

const whoamiSchema = z.object({
  loggedIn: z.boolean(),
  accounts: z.array(z.object({ id: z.string(), name: z.string() })).optional(),
});
const databasesSchema = z.array(z.object({ name: z.string(), uuid: z.string() }));
const secretsSchema = z.array(z.object({ name: z.string() }));

/** Checks, in order: logged in → an account → not several with none named. @throws DeployError */
export async function accountOf(wrangler: Wrangler, accountId = process.env.CLOUDFLARE_ACCOUNT_ID): Promise<string> {
  const said = await wrangler(['whoami', '--json']);
  const who = said.code === 0 ? parsed(whoamiSchema, said.stdout, 'whoami') : null;
  if (who?.loggedIn !== true) {
    if (said.code !== 0 && !/"loggedIn":\s*false|not (logged in|authenticated)/i.test(said.all))
      throw failed(['whoami'], said);
    throw new DeployError('Not logged in. Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.');
  }
  const accounts = who.accounts ?? [];
  if (accountId !== undefined && accountId !== '') {
    // A token of one account may not list accounts: what it may do shows at the first call.
    const known = accounts.find(({ id }) => id === accountId);
    if (known === undefined && accounts.length > 0) {
      throw new DeployError(`CLOUDFLARE_ACCOUNT_ID is none of the accounts that this login reaches.`);
    }
    return known?.name ?? accountId;
  }
  const [only, ...more] = accounts;
  if (only === undefined) throw new DeployError('This login reaches no account. Set CLOUDFLARE_ACCOUNT_ID.');
  if (more.length === 0) return only.name;
  const list = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n');
  throw new DeployError(`Several accounts: set CLOUDFLARE_ACCOUNT_ID to one of\n${list}`);
}

/** Ids by name. */
export async function databasesOf(wrangler: Wrangler): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await mustRun(wrangler, ['d1', 'list', '--json']);
  return new Map(parsed(databasesSchema, stdout, 'd1 list').map(({ name, uuid }) => [name, uuid]));
}

/** @param configFile the environment's own, once it has the ids of its databases. */
export async function foundFor(
  wrangler: Wrangler,
  wanted: Wanted,
  config: WorkerConfig,
  databases: ReadonlyMap<string, string>,
  configFile: string,
): Promise<Found> {
  const checks = [
    ...wanted.queues.map((name) => ({ kind: 'queue' as const, name })),
    ...wanted.buckets.map((name) => ({ kind: 'bucket' as const, name })),
  ];
  const there = new Set<string>();
  const pending = [...checks];
  const worker = async (): Promise<void> => {
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const is = next.kind === 'queue' ? hasQueue(wrangler, next.name, wanted.worker) : hasBucket(wrangler, next.name);
      if (await is) there.add(`${next.kind} ${next.name}`);
    }
  };
  const [secrets, pendingMigrations] = await Promise.all([
    secretsOf(wrangler, wanted.worker),
    pendingOf(wrangler, config, databases, configFile),
    ...Array.from({ length: CALLS_AT_ONCE }, worker),
  ]);
  return {
    databases,
    queues: new Set(wanted.queues.filter((name) => there.has(`queue ${name}`))),
    buckets: new Set(wanted.buckets.filter((name) => there.has(`bucket ${name}`))),
    secrets,
    pendingMigrations,
  };
}

/** @throws DeployError when another Worker consumes it: a queue has one consumer, and it is not ours to take. */
async function hasQueue(wrangler: Wrangler, name: string, worker: string): Promise<boolean> {
  const said = await wrangler(['queues', 'info', name]);
  if (said.code !== 0) {
    if (/does not exist/i.test(said.all)) return false;
    throw failed(['queues', 'info', name], said);
  }
  // Asked by name, the platform may answer with one whose name begins so.
  if (!said.stdout.split('\n').some((line) => line.trim() === `Queue Name: ${name}`)) return false;
  const consumer = /^Consumers:\s+worker:([^\s,]+)/m.exec(said.stdout)?.[1];
  // "undefined" is what wrangler prints where the platform does not say which Worker it is.
  if (consumer !== undefined && consumer !== 'undefined' && consumer !== worker) {
    throw new DeployError(`The queue ${name} is there, and the Worker ${consumer} consumes it: the name is taken.`);
  }
  return true;
}

async function hasBucket(wrangler: Wrangler, name: string): Promise<boolean> {
  const args = ['r2', 'bucket', 'info', name, '--json'];
  const said = await wrangler(args);
  if (said.code === 0) return true;
  if (/does not exist|code: 10006/i.test(said.all)) return false;
  throw failed(args, said);
}

/** null: there is no such Worker. */
async function secretsOf(wrangler: Wrangler, worker: string): Promise<ReadonlySet<string> | null> {
  const args = ['secret', 'list', '--name', worker, '--format', 'json'];
  const said = await wrangler(args);
  if (said.code === 0) return new Set(parsed(secretsSchema, said.stdout, 'secret list').map(({ name }) => name));
  if (/Worker ".*" .*not found|Worker ".*" not found|code: 10007/i.test(said.all)) return null;
  throw failed(args, said);
}

async function pendingOf(
  wrangler: Wrangler,
  { d1_databases: bound }: WorkerConfig,
  databases: ReadonlyMap<string, string>,
  configFile: string,
): Promise<readonly string[]> {
  const files = migrationFiles();
  if (bound.some(({ database_name: name }) => !databases.has(name))) return files;
  const args = ['d1', 'migrations', 'list', 'DB', '--remote', '--config', configFile];
  const { stdout } = await mustRun(wrangler, args);
  const listed = files.filter((file) => stdout.includes(file));
  if (listed.length === 0 && !/No migrations to apply/i.test(stdout)) {
    throw new DeployError(
      `wrangler ${args.join(' ')} said neither which migrations are to be applied nor that none is:\n${stdout}`,
    );
  }
  return listed;
}

export function migrationFiles(): readonly string[] {
  return readdirSync(join(ROOT, 'migrations'))
    .filter((file) => file.endsWith('.sql'))
    .sort();
}

/** The JSON in what was printed: wrangler may print a line about itself before it. @throws DeployError when it is not as known. */
function parsed<Value>(schema: z.ZodType<Value>, text: string, command: string): Value {
  const start = text.search(/^[[{]/m);
  try {
    return schema.parse(JSON.parse(text.slice(Math.max(start, 0))));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DeployError(
      `wrangler ${command} printed what cannot be read (${why.slice(0, 200)}): another version than this was made for?`,
    );
  }
}
