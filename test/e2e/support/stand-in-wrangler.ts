/**
 * Stands in for wrangler in the tests of deploying: an account in a file (STAND_IN_ACCOUNT), every call recorded beside it, and answers
 * in the words of wrangler 4.155. Never kinder: it refuses names that are taken, ids, queues and buckets that the account does
 * not have, migrations before their database, secrets of a Worker that is not there, and all of it when nobody is logged in.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

export interface Account {
  loggedIn: boolean;
  accounts: { id: string; name: string }[];
  /** Ids by name. */
  databases: Record<string, string>;
  /** Applied migrations by the database's id. */
  applied: Record<string, string[]>;
  /** The Worker that consumes it, or null. */
  queues: Record<string, string | null>;
  buckets: string[];
  workers: Record<string, { vars: Record<string, string>; secrets: Record<string, string>; deployments: number }>;
  /** The call that begins so fails, as when the network does. */
  failsAt?: string;
  /** Where deployed Workers answer. */
  url: string;
}

const FILE = process.env.STAND_IN_ACCOUNT ?? '';
const account = JSON.parse(readFileSync(FILE, 'utf8')) as Account;
const args = process.argv.slice(2);
const line = args.join(' ');

class Refusal extends Error {}

function flag(name: string): string | undefined {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args[at + 1];
}

interface Config {
  readonly name: string;
  readonly vars: Record<string, string>;
  readonly d1_databases: readonly { readonly binding: string; readonly database_id: string }[];
  readonly queues: {
    readonly producers: readonly { readonly queue: string }[];
    readonly consumers: readonly { readonly queue: string; readonly dead_letter_queue?: string }[];
  };
  readonly r2_buckets?: readonly { readonly bucket_name: string }[];
}

function config(): Config {
  return JSON.parse(readFileSync(flag('--config') ?? '', 'utf8')) as Config;
}

function databaseId(): string {
  const id = config().d1_databases[0]?.database_id ?? '';
  if (!Object.values(account.databases).includes(id))
    throw new Refusal(`The database ${id} could not be found [code: 7404]`);
  return id;
}

function pending(): string[] {
  const applied = account.applied[databaseId()] ?? [];
  return readdirSync('migrations')
    .filter((file) => file.endsWith('.sql') && !applied.includes(file))
    .sort();
}

function deploy(): void {
  const { name, vars, d1_databases: databases, queues, r2_buckets: buckets = [] } = config();
  const ids = Object.values(account.databases);
  for (const { database_id: id } of databases) {
    if (!ids.includes(id)) throw new Refusal('binding DB of type d1 must have a valid `id` specified [code: 10021]');
  }
  const named = [...queues.producers, ...queues.consumers].map(({ queue }) => queue);
  const dead = queues.consumers.flatMap(({ dead_letter_queue: queue }) => (queue === undefined ? [] : [queue]));
  for (const queue of [...named, ...dead]) {
    if (!(queue in account.queues))
      throw new Refusal(`Queue "${queue}" does not exist. To create it, run: wrangler queues create ${queue}`);
  }
  for (const { bucket_name: bucket } of buckets) {
    if (!account.buckets.includes(bucket)) throw new Refusal(`R2 bucket '${bucket}' not found [code: 10085]`);
  }
  for (const { queue } of queues.consumers) {
    const consumer = account.queues[queue] ?? null;
    if (consumer !== null && consumer !== name)
      throw new Refusal(`Queue "${queue}" already has a consumer [code: 11004]`);
    account.queues[queue] = name;
  }
  const old = account.workers[name];
  account.workers[name] = { vars, secrets: old?.secrets ?? {}, deployments: (old?.deployments ?? 0) + 1 };
  const output = process.env.WRANGLER_OUTPUT_FILE_PATH;
  if (output !== undefined) {
    appendFileSync(output, `${JSON.stringify({ type: 'wrangler-session', version: 1 })}\n`);
    appendFileSync(
      output,
      `${JSON.stringify({ type: 'deploy', version: 1, worker_name: name, targets: [account.url] })}\n`,
    );
  }
  console.log(`Uploaded ${name}\nDeployed ${name} triggers\n  ${account.url}`);
}

function create(what: 'databases' | 'queues' | 'buckets', name: string): void {
  const taken = what === 'buckets' ? account.buckets.includes(name) : name in account[what];
  if (taken) throw new Refusal(`A resource with the name ${name} already exists`);
  if (what === 'databases') account.databases[name] = randomUUID();
  else if (what === 'queues') account.queues[name] = null;
  else account.buckets.push(name);
  console.log(`✅ Successfully created ${name}`);
}

const COMMANDS: Readonly<Record<string, () => void>> = {
  'whoami --json': () => {
    console.log(JSON.stringify({ loggedIn: true, authType: 'API Token', accounts: account.accounts }));
  },
  'd1 list --json': () => {
    console.log(
      JSON.stringify(Object.entries(account.databases).map(([name, uuid]) => ({ uuid, name, version: 'production' }))),
    );
  },
  'd1 create': () => create('databases', args[2] ?? ''),
  'd1 migrations list': () => {
    const files = pending();
    console.log('\n ⛅️ wrangler 4.155.0\nResource location: remote\n');
    if (files.length === 0) return console.log('✅ No migrations to apply!');
    console.log(
      `Migrations to be applied:\n┌──────┐\n│ Name │\n├──────┤\n${files.map((file) => `│ ${file} │`).join('\n')}\n└──────┘`,
    );
  },
  'd1 migrations apply': () => {
    account.applied[databaseId()] = [...(account.applied[databaseId()] ?? []), ...pending()];
  },
  'queues info': () => {
    const name = args[2] ?? '';
    const consumer = account.queues[name];
    if (consumer === undefined)
      throw new Refusal(`Queue "${name}" does not exist. To create it, run: wrangler queues create ${name}`);
    console.log(
      `Queue Name: ${name}\nQueue ID: 1\nNumber of Producers: 0\nNumber of Consumers: ${consumer === null ? 0 : 1}`,
    );
    if (consumer !== null) console.log(`Consumers:  worker:${consumer}`);
  },
  'queues create': () => create('queues', args[2] ?? ''),
  'r2 bucket info': () => {
    if (!account.buckets.includes(args[3] ?? ''))
      throw new Refusal('The specified bucket does not exist. [code: 10006]');
    console.log(JSON.stringify({ name: args[3] }));
  },
  'r2 bucket create': () => create('buckets', args[3] ?? ''),
  'secret list': () => {
    const name = flag('--name') ?? '';
    const worker = account.workers[name];
    if (worker === undefined)
      throw new Refusal(
        `Worker "${name}" not found.\n\nIf this is a new Worker, run \`wrangler deploy\` first to create it.`,
      );
    console.log(JSON.stringify(Object.keys(worker.secrets).map((each) => ({ name: each, type: 'secret_text' }))));
  },
  'secret bulk': () => {
    // The real one would make a draft of the Worker: a deployment must not rely on it.
    const worker = account.workers[config().name];
    if (worker === undefined) throw new Refusal('This Worker does not exist on your account. [code: 10007]');
    Object.assign(worker.secrets, JSON.parse(readFileSync(0, 'utf8')));
  },
  deploy,
};

const before = JSON.stringify(account);
// Several run at once, and only read: a line is appended whole.
appendFileSync(`${FILE}.calls`, `${line}\n`);
try {
  if (!account.loggedIn) {
    if (line === 'whoami --json') console.log(JSON.stringify({ loggedIn: false }));
    throw new Refusal('Not logged in. Please run `wrangler login` to authenticate.');
  }
  if (account.failsAt !== undefined && line.startsWith(account.failsAt))
    throw new Refusal('fetch failed: connection reset');
  const command = Object.keys(COMMANDS).find((each) => line === each || line.startsWith(`${each} `));
  if (command === undefined) throw new Refusal(`Unknown arguments: ${line}`);
  COMMANDS[command]?.();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(`✘ [ERROR] ${error.message}`);
  process.exitCode = 1;
} finally {
  const after = JSON.stringify(account);
  if (after !== before) writeFileSync(FILE, after);
}
