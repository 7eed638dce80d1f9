/**
 * Runs the Worker on this machine with `wrangler dev`, for scripts: dev.ts in the repository's own state, demo.ts and the
 * end-to-end tests each in a state of their own. Ends only what it started: wrangler gets a process group of its own, and
 * that group is ended by the id it was started with. Loopback only, and nothing is sent to anyone.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { copyMigratedState } from './migrated-state.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
export const DEFAULT_PORT = 8080;

/** A cold start takes 3 s here; a machine of two busy cores may need ten times as long. */
const READY_TIMEOUT_MS = 60_000;
/** wrangler ends its workerd processes within a second; what is left after this is killed. */
const STOP_TIMEOUT_MS = 5_000;
const LOG_TAIL_LINES = 20;
/** Linux gives 32768 and up to outgoing connections, macOS 49152 and up. */
const PORTS = { min: 20_000, max: 30_000 } as const;
const PORT_DRAWS_MAX = 100;

/** No usage statistics, and no look-up of a sample `request.cf`: a local run talks to nobody. */
export const WRANGLER_ENV: Readonly<Record<string, string>> = {
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  // The build command of wrangler.toml runs `node`: let it be this one, whatever the machine has.
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
};

/** Brings the local D1 of a state up to date (local-migrations.ts). @throws what that says, where it cannot. */
export async function applyMigrations(stateDirectory: string, env = WRANGLER_ENV): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/local-migrations.ts'), stateDirectory], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  }).catch((error: unknown) => {
    const said: unknown = Reflect.get(Object(error), 'stderr');
    throw typeof said === 'string' && said.trim() !== '' ? new Error(said.trim()) : error;
  });
}

export interface LocalWorker {
  readonly origin: string;
  readonly port: number;
  /** Of wrangler, and of the process group that everything it starts is in; another one after `cut`. */
  readonly pid: number;
  /** Everything that outlives its processes. */
  readonly stateDirectory: string;
  /** Kills all of its processes at once, and starts it again on the same state and port. */
  readonly cut: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** The last lines that the Worker and wrangler wrote. */
  readonly logTail: () => string;
  /** All of them, until it is stopped. */
  readonly logFile: string;
}

export interface LocalWorkerOptions {
  /** The configuration file, relative to the root; wrangler.toml by default. */
  readonly config?: string;
  /** Vars and secrets of the Worker, in the place of `.dev.vars`. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Only errors are written: wrangler's process works as long on the lines of a request as on the request. */
  readonly isQuiet?: boolean;
}

/**
 * Starts a Worker with a new, empty state and waits until it answers. Rejects when wrangler ends early or nothing answers
 * in time; whatever was started is ended then too.
 * @param signal ends the waiting, and the Worker.
 */
export async function startLocalWorker(
  preferredPort: number,
  signal: AbortSignal,
  options: LocalWorkerOptions = {},
): Promise<LocalWorker> {
  const port = (await isFree(preferredPort)) ? preferredPort : await anyFreePort();
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'));
  const logFile = join(directory, 'wrangler.log');
  const env = {
    ...WRANGLER_ENV,
    // wrangler's own pages about a local run: nobody looks at this one's, and they take a fifth of its time.
    X_LOCAL_OBSERVABILITY: 'false',
    // Its own too: a `wrangler dev` that runs beside it is not to be found or spoken to.
    WRANGLER_REGISTRY_PATH: join(directory, 'registry'),
    // Every line a second time, into a file of its own: what it says is in ours.
    WRANGLER_WRITE_LOGS: 'false',
  };
  const origin = `http://localhost:${port}`;
  const stateDirectory = join(directory, 'state');
  const state = ['--persist-to', stateDirectory];
  const config = options.config === undefined ? [] : ['--config', options.config];
  const vars = options.vars === undefined ? [] : ['--env-file', writeVars(directory, options.vars)];
  const quiet = options.isQuiet === true ? ['--log-level', 'error'] : [];
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    child = spawnWrangler(port, [...config, ...vars, ...state, ...quiet], env, logFile);
    await untilHealthy(origin, child, signal);
  };
  const stop = async (): Promise<void> => {
    if (child !== null) await end(child);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  const cut = async (): Promise<void> => {
    if (child !== null) await kill(child);
    await start();
  };
  const logTail = (): string => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  closeSync(openSync(logFile, 'a'));
  try {
    await copyMigratedState(stateDirectory, (made) => applyMigrations(made, env));
    signal.throwIfAborted();
    await start();
    const pid = (): number => child?.pid ?? 0;
    return {
      origin,
      port,
      stateDirectory,
      stop,
      cut,
      logTail,
      logFile,
      get pid() {
        return pid();
      },
    };
  } catch (error) {
    const tail = logTail();
    await stop();
    signal.throwIfAborted();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${tail}`.trimEnd());
  }
}

/** A file, and no arguments: those can be read by every process of the machine. */
function writeVars(directory: string, vars: Readonly<Record<string, string>>): string {
  const file = join(directory, 'vars');
  const lines = Object.entries(vars).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, lines.join(''), { mode: 0o600 });
  return file;
}

function spawnWrangler(
  port: number,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  logFile: string,
): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(
      process.execPath,
      // The inspector's port is the system's choice: wrangler's own is looked up first and taken later, by two at once.
      [
        WRANGLER,
        'dev',
        '--port',
        String(port),
        '--inspector-port',
        '0',
        ...args,
        '--show-interactive-dev-session=false',
      ],
      { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', log, log], detached: true },
    );
    if (child.pid === undefined) throw new Error('wrangler dev could not be started');
    return child;
  } finally {
    closeSync(log);
  }
}

async function untilHealthy(origin: string, child: ChildProcess, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadlineMs) {
    signal.throwIfAborted();
    if (child.exitCode !== null) throw new Error(`wrangler dev ended with code ${child.exitCode}`);
    try {
      const response = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return;
    } catch {
      // Nobody listens yet, or it is still building: asked again until the deadline.
    }
    await sleep(100);
  }
  throw new Error(`${origin}/health did not answer within ${READY_TIMEOUT_MS / 1_000} s`);
}

/** Asks wrangler to end, which ends its own children; then ends whatever is left of the group. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
  }
  killGroup(child);
}

/** Ends the whole group without asking, and waits until wrangler is gone. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return killGroup(child);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  killGroup(child);
  await ended;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: the group is empty, as it should be.
  }
}

async function isFree(port: number): Promise<boolean> {
  // `localhost` is both: someone may listen on either.
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '::1'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    // A machine without IPv6 has nobody listening there.
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE' && host === '::1'));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/**
 * A port that nobody listens on, on the loopback address. Below those that the system gives to outgoing connections: such a
 * connection could take it before its listener does.
 */
export async function anyFreePort(): Promise<number> {
  for (let draw = 0; draw < PORT_DRAWS_MAX; draw += 1) {
    const port = randomInt(PORTS.min, PORTS.max);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${PORTS.min} to ${PORTS.max} is free: ${PORT_DRAWS_MAX} were tried`);
}
