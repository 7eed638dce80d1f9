/**
 * `npm run chaos`: P7. Runs a Worker of its own under load, kills its runtime with SIGKILL again and again, every fifth time
 * all of wrangler, and then checks that nothing acknowledged is lost, nothing was charged twice, everything ends within a
 * minute, and all books agree. `-- --kills 1000 --seed N`. Exit code 0 means that it held. It ends only what it has started.
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../src/domain/seeded-random.ts';
import { readProviderBooks } from './chaos-books.ts';
import { type Evidence, violationsIn } from './chaos-check.ts';
import { Load } from './chaos-load.ts';
import { readCommandLine, wholeNumber } from './command-line.ts';
import { green, red, say } from './demo-output.ts';
import { type LocalWorker, startLocalWorker } from './local-worker.ts';

const PREFERRED_PORT = 8790;
const KILLS_DEFAULT = 20;
/** Of so many kills one takes all of wrangler with it, as a power cut does. */
const CUT_EVERY = 5;
/** Load between two kills, drawn from the seed. */
const UNDER_LOAD_MIN_MS = 300;
const UNDER_LOAD_MAX_MS = 3_000;
/** wrangler brings its runtime back in half a second; what is not back after this is started anew. */
const BACK_BOUND_MS = 30_000;
/** The specification's bound, from the last start to the last terminal state. */
const TERMINAL_BOUND_MS = 60_000;
const SHOWN_MAX = 20;
const STUCK_SHOWN_MAX = 3;

const USAGE = `npm run chaos -- [--kills N] [--seed N]

  --kills  absent: ${KILLS_DEFAULT}
  --seed   repeats a run; absent: by the clock`;

const { values } = readCommandLine(USAGE, { kills: { type: 'string' }, seed: { type: 'string' } });
const kills = wholeNumber(USAGE, '--kills', values.kills, { otherwise: KILLS_DEFAULT, min: 1 });
const seed = wholeNumber(USAGE, '--seed', values.seed, { otherwise: Date.now() % 2 ** 31, min: 1 });

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

let worker: LocalWorker | null = null;
try {
  const [{ model } = { model: 'unknown' }] = cpus();
  say(`P7 chaos: kills=${kills} seed=${seed} machine="${cpus().length} x ${model}" node=${process.version}`);
  worker = await startLocalWorker(PREFERRED_PORT, interrupted.signal, { isQuiet: true });
  say(`${worker.origin}, wrangler dev with process id ${worker.pid}`);
  say(`state: ${worker.stateDirectory}`);
  const violations = await chaos(worker);
  for (const violation of violations.slice(0, SHOWN_MAX)) say(red(violation));
  say(violations.length === 0 ? green('P7 holds.') : red(`P7 is violated ${violations.length} times.`));
  process.exitCode = violations.length === 0 ? 0 : 1;
} catch (error) {
  say(red(`The chaos run failed: ${error instanceof Error ? error.message : String(error)}`));
  if (worker !== null && !interrupted.signal.aborted) say(worker.logTail());
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  await worker?.stop();
}

async function chaos(target: LocalWorker): Promise<string[]> {
  const load = new Load(target.origin, seededRandom(seed + 1));
  try {
    return await underLoad(target, load);
  } finally {
    load.abandon();
  }
}

async function underLoad(target: LocalWorker, load: Load): Promise<string[]> {
  const running = load.run();
  // Seen where it is awaited, below; until then it must not end this process.
  running.catch(() => undefined);
  const backMs = await killAgainAndAgain(target);
  const startedAtMs = Date.now();
  load.stop();
  await running;
  const { violations, evidence } = await ended(target, load, startedAtMs);
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  const statuses = Map.groupBy(evidence.payments, ({ view }) => view?.status ?? 'LOST');
  const counts = [...statuses].map(([status, group]) => `${status}=${group.length}`).join(' ');
  say(
    `killed: runtime=${kills - cutsOf(kills)} wrangler=${cutsOf(kills)} longest_down=${seconds(Math.max(...backMs))}s`,
  );
  say(
    `payments: acknowledged=${load.payments.size} ${counts}; refunds=${load.refunds.size}; sent_again=${load.repeated}`,
  );
  say(`books: charges=${evidence.charges.length} refunds=${evidence.chargeRefunds.length}`);
  say(
    `all ended and agreeing ${seconds(Date.now() - startedAtMs)}s after the last start (bound ${seconds(TERMINAL_BOUND_MS)}s)`,
  );
  await tellStuck(load, evidence);
  return violations;
}

/** What is on record of payments that did not end: the state alone does not say how they came there. */
async function tellStuck(load: Load, { payments }: Evidence): Promise<void> {
  const stuck = payments.filter(({ view }) => view?.status === 'PENDING');
  for (const { id } of stuck.slice(0, STUCK_SHOWN_MAX)) {
    say(`${id}:`);
    for (const line of await load.readTimeline(id)) say(`  ${line}`);
  }
}

function cutsOf(count: number): number {
  return Math.floor(count / CUT_EVERY);
}

/** How long it was down after each kill, in milliseconds. */
async function killAgainAndAgain(target: LocalWorker): Promise<number[]> {
  const random = seededRandom(seed);
  const downMs: number[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    await sleep(UNDER_LOAD_MIN_MS + random() * (UNDER_LOAD_MAX_MS - UNDER_LOAD_MIN_MS));
    interrupted.signal.throwIfAborted();
    const killedAtMs = Date.now();
    if (kill % CUT_EVERY === 0) await target.cut();
    else await killRuntime(target);
    downMs.push(Date.now() - killedAtMs);
  }
  return downMs;
}

/** Kills the runtime that has the Worker and its objects in it; the one that listens is wrangler's own proxy and stays. */
async function killRuntime(target: LocalWorker): Promise<void> {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,pgid=,args='], { encoding: 'utf8' }).split('\n');
  const pids = lines.flatMap((line) => {
    const [pid, group] = line.trim().split(/\s+/);
    const isRuntime = /workerd serve .*--socket-addr=entry=127\.0\.0\.1:/.test(line);
    return isRuntime && Number(group) === target.pid ? [Number(pid)] : [];
  });
  // It may just be starting; then there is nothing to kill but what comes up.
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  if (!(await isBack(target.origin))) await target.cut();
}

async function isBack(origin: string): Promise<boolean> {
  const deadlineMs = Date.now() + BACK_BOUND_MS;
  while (Date.now() < deadlineMs) {
    interrupted.signal.throwIfAborted();
    try {
      const response = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return true;
    } catch {
      // Down, as it should be: asked again until the deadline.
    }
    await sleep(50);
  }
  return false;
}

/** What is still wrong when everything has ended, or when the time is up. */
async function ended(
  target: LocalWorker,
  load: Load,
  startedAtMs: number,
): Promise<{ readonly violations: string[]; readonly evidence: Evidence }> {
  for (;;) {
    interrupted.signal.throwIfAborted();
    const [payments, refunds, wallets] = [
      await load.readPayments(),
      await load.readRefunds(),
      await load.readWallets(),
    ];
    const evidence = { payments, refunds, wallets, ...readProviderBooks(target.stateDirectory) };
    const violations = violationsIn(evidence);
    if (violations.length === 0 || Date.now() - startedAtMs > TERMINAL_BOUND_MS) return { violations, evidence };
    await sleep(1_000);
  }
}
