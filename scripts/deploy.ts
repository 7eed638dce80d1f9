/**
 * `npm run deploy -- --env sandbox|live`: says what it will do, makes what is missing (D1, queues, buckets, secrets), migrates,
 * deploys, and checks that the Worker is up and closed. Run again it only deploys. `--dry-run` needs no account and no network:
 * the plan for an empty account, and wrangler's own build, for both environments. docs/deploy.md; decision 0073.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { parse } from 'smol-toml';
import { accountOf, databasesOf, foundFor, migrationFiles } from './deploy/account.ts';
import { secretsToSet, terminalAsker } from './deploy/ask.ts';
import { carryOut } from './deploy/carry-out.ts';
import { configOf, ENVIRONMENTS, type Environment, wantedBy, withDatabaseIds } from './deploy/config.ts';
import { DeployError } from './deploy/fail.ts';
import { type Found, planOf, toldPlan } from './deploy/plan.ts';
import { API_KEY_SECRET, lacking } from './deploy/secrets.ts';
import { mustRun, runWrangler } from './deploy/wrangler.ts';
import { ROOT } from './local-worker.ts';

const USAGE = `npm run deploy -- --env sandbox|live [--set NAME]… [--url https://…] [--yes]
npm run deploy -- --dry-run [--env sandbox|live]

  --env      which environment
  --dry-run  say what would be done on an empty account, and build; no network
  --set      set this secret anew, although it is set
  --url      where the Worker answers, if it has no workers.dev address
  --yes      do not ask before beginning
  --config   another file than wrangler.toml`;

function options() {
  const { values } = parseArgs({
    options: {
      env: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      set: { type: 'string', multiple: true, default: [] },
      url: { type: 'string' },
      yes: { type: 'boolean', default: false },
      config: { type: 'string', default: 'wrangler.toml' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { url, set, 'dry-run': isDry, help } = values;
  if (help) return values;
  if (isDry && (url !== undefined || set.length > 0)) {
    throw new DeployError(`--dry-run sets no secret and asks nobody: it takes no --set and no --url\n\n${USAGE}`);
  }
  if (url !== undefined && URL.parse(url)?.protocol !== 'https:') {
    throw new DeployError(`--url ${url} is no https://… address\n\n${USAGE}`);
  }
  return values;
}
type Options = ReturnType<typeof options>;

function environmentOf(name: string | undefined): Environment {
  const environment = ENVIRONMENTS.find((each) => each === name);
  if (environment !== undefined) return environment;
  const what = name === undefined ? '--env is needed' : `--env ${name} is no environment`;
  throw new DeployError(`${what}: ${ENVIRONMENTS.join(' or ')}\n\n${USAGE}`);
}

/** Beside wrangler.toml, since its paths are relative to it; not in Git: the account is the only place where ids are kept. */
function configFileOf(environment: Environment): string {
  return `wrangler.deploy.${environment}.json`;
}

/** `file` may be anywhere; its paths are relative to wrangler.toml. */
function readCommitted(file: string): unknown {
  try {
    return parse(readFileSync(resolve(ROOT, file), 'utf8'));
  } catch (error) {
    throw new DeployError(error instanceof Error ? error.message : String(error));
  }
}

function write(environment: Environment, config: object): string {
  const file = configFileOf(environment);
  writeFileSync(join(ROOT, file), `${JSON.stringify(config, null, 2)}\n`);
  return file;
}

async function dryRun({ env, config: file }: Options): Promise<void> {
  const committed = readCommitted(file);
  for (const environment of env === undefined ? ENVIRONMENTS : [environmentOf(env)]) {
    const config = configOf(environment, committed);
    const nothing: Found = {
      databases: new Map(),
      queues: new Set(),
      buckets: new Set(),
      secrets: null,
      pendingMigrations: migrationFiles(),
    };
    const wanted = wantedBy(config);
    const asked = lacking(environment, new Set()).flatMap(({ names }) => names);
    say(`${environment}, on an empty account:`);
    say(toldPlan(wanted, nothing, planOf(wanted, nothing, asked)));
    const args = ['deploy', '--dry-run', '--config', write(environment, config), '--outdir', `dist/${environment}`];
    const { all } = await mustRun(runWrangler, args);
    say(`  built    ${/Total Upload: (.*)/.exec(all)?.[1] ?? ''}\n`);
  }
}

async function deploy({ env, set, url, yes, config: file }: Options): Promise<void> {
  const environment = environmentOf(env);
  const config = configOf(environment, readCommitted(file));
  const wanted = wantedBy(config);
  const account = await accountOf(runWrangler);
  const databases = await databasesOf(runWrangler);
  const configFile = write(environment, withDatabaseIds(config, databases));
  const found = await foundFor(runWrangler, wanted, config, databases, configFile);

  const has = found.secrets ?? new Set<string>();
  const kept = new Set([...has].filter((name) => !set.includes(name)));
  const lacks = [...new Set([...lacking(environment, kept).flatMap(({ names }) => names), ...set])];
  say(`${environment}, in the account ${account}:`);
  say(toldPlan(wanted, found, planOf(wanted, found, lacks)));

  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const asker = isTerminal ? terminalAsker(process.stdin, process.stdout) : null;
  if (isTerminal && !yes && !(await confirmed())) throw new DeployError('Nothing was done.');
  const { values: secrets, isMade } = await secretsToSet({ environment, has, anew: set, env: process.env, asker });

  say('');
  await carryOut(planOf(wanted, found, [...secrets.keys()], isMade), {
    wrangler: runWrangler,
    configFile,
    tag: commit(),
    secrets,
    url: url ?? null,
    refreshConfig: async () => {
      write(environment, withDatabaseIds(config, await databasesOf(runWrangler)));
    },
    makeKey: (origin) => makeKey(origin, secrets),
    say,
    interrupted: interrupted(),
  });
  say('Deployed, up and closed.');
}

/** What `npm run keys` does for a first key, in this process's terminal; the secret is in the environment of that process alone. */
async function makeKey(origin: string, secrets: ReadonlyMap<string, string>): Promise<void> {
  const args = [
    'scripts/keys.ts',
    'create',
    '--platform',
    '--name',
    'first key',
    '--reason',
    'deployed',
    '--origin',
    origin,
  ];
  const keys = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, HOLDFAST_API_KEY: '', [API_KEY_SECRET]: secrets.get(API_KEY_SECRET) ?? '' },
  });
  const [code] = await once(keys, 'exit');
  if (code !== 0) throw new DeployError('Deployed, and the first key was not made.');
}

/** From now on Ctrl-C ends the run with a word; a second one ends it as ever. */
function interrupted(): Promise<never> {
  return new Promise((_resolve, reject) => {
    process.once('SIGINT', () => reject(new DeployError('Interrupted.')));
  });
}

async function confirmed(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question('Go on? [y/N] ')).trim());
  } finally {
    lines.close();
  }
}

/** null: not in a checkout. */
function commit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    // Deployed from an archive: the version is then known by its time alone.
    return null;
  }
}

function say(line: string): void {
  console.log(line);
}

try {
  const given = options();
  if (given.help) say(USAGE);
  else await (given['dry-run'] ? dryRun(given) : deploy(given));
} catch (error) {
  if (!(error instanceof DeployError) && !(error instanceof TypeError && 'code' in error)) throw error;
  console.error(error.message);
  // And not by its own end: the step that was interrupted may still wait.
  process.exit(1);
}
