/**
 * Carries out a plan, step by step, saying each. Every step can be run again: what a broken run has done, the next one finds. The one thing
 * that it cannot find is a secret made by chance: a run that breaks off between that and its key says so.
 */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDeployed } from './check.ts';
import { DeployError } from './fail.ts';
import { type Step, toldStep } from './plan.ts';
import { API_KEY_SECRET } from './secrets.ts';
import { mustRun, type Wrangler } from './wrangler.ts';

export interface Work {
  readonly wrangler: Wrangler;
  readonly configFile: string;
  /** Of this deployment, for the list of versions: the commit. */
  readonly tag: string | null;
  readonly secrets: ReadonlyMap<string, string>;
  /** Where the Worker answers, where wrangler does not know it: behind a route of one's own. */
  readonly url: string | null;
  /** Writes the configuration anew, with the ids that the account has by now. */
  readonly refreshConfig: () => Promise<void>;
  /** Makes an API key at an address, and shows it. */
  readonly makeKey: (url: string) => Promise<void>;
  readonly say: (line: string) => void;
  /** Rejects when the person who waits has had enough; never resolves. */
  readonly interrupted: Promise<never>;
}

/** The next run would find the secret set, and have no reason to make another. */
const NO_KEY = `No API key was made with the ${API_KEY_SECRET} that was made by chance, and nobody knows it. To make both anew: npm run deploy -- --env … --set ${API_KEY_SECRET}`;

/**
 * @throws DeployError at the first step that fails, or when it is interrupted; what was done before it stays. Between a secret made
 * by chance and its key it says how to get one.
 */
export async function carryOut(steps: readonly Step[], work: Work): Promise<void> {
  const isMade = steps.some((step) => step.do === 'first_key');
  let isKeyless = false;
  let url = work.url;
  try {
    for (const step of steps) {
      work.say(toldStep(step));
      // Before it is known to be set: a call that fails may have set it.
      isKeyless ||= isMade && step.do === 'set_secrets';
      url = await Promise.race([take(step, work, url), work.interrupted]);
    }
  } catch (error) {
    if (!isKeyless) throw error;
    throw new DeployError(`${error instanceof Error ? error.message : String(error)}\n${NO_KEY}`, { cause: error });
  }
}

/** Answers where the Worker answers, as far as that is known after the step. */
async function take(step: Step, work: Work, url: string | null): Promise<string | null> {
  switch (step.do) {
    case 'create_database':
      await mustRun(work.wrangler, ['d1', 'create', step.name]);
      await work.refreshConfig();
      return url;
    case 'create_queue':
      await mustRun(work.wrangler, ['queues', 'create', step.name]);
      return url;
    case 'create_bucket':
      await mustRun(work.wrangler, ['r2', 'bucket', 'create', step.name]);
      return url;
    case 'migrate':
      await mustRun(work.wrangler, ['d1', 'migrations', 'apply', 'DB', '--remote', '--config', work.configFile]);
      return url;
    case 'set_secrets':
      await setSecrets(step.names, work);
      return url;
    case 'deploy': {
      const deployedTo = await deployWorker(work);
      return work.url ?? deployedTo;
    }
    case 'check':
      await checkDeployed(known(url));
      work.say(`         ${known(url)}`);
      return url;
    case 'first_key':
      await work.makeKey(known(url));
      return url;
  }
}

function known(url: string | null): string {
  if (url === null) throw new DeployError('wrangler told no address to check: say it with --url https://…');
  return url;
}

async function setSecrets(names: readonly string[], { wrangler, configFile, secrets }: Work): Promise<void> {
  const values = Object.fromEntries(names.map((name) => [name, secrets.get(name)]));
  await mustRun(wrangler, ['secret', 'bulk', '--config', configFile], { stdin: JSON.stringify(values) });
}

/** The address that it is deployed to; null: it has none of its own. */
async function deployWorker({ wrangler, configFile, tag }: Work): Promise<string | null> {
  // A line of JSON per event: https://developers.cloudflare.com/workers/wrangler/system-environment-variables/
  const output = join(tmpdir(), `holdfast-deploy-${process.pid}.ndjson`);
  const tagged = tag === null ? [] : ['--tag', tag];
  try {
    await mustRun(wrangler, ['deploy', '--config', configFile, ...tagged], {
      env: { WRANGLER_OUTPUT_FILE_PATH: output },
    });
    return targetIn(readFileSync(output, 'utf8'));
  } finally {
    rmSync(output, { force: true });
  }
}

function targetIn(lines: string): string | null {
  for (const line of lines.split('\n').filter((each) => each !== '')) {
    const event = JSON.parse(line) as { readonly type?: unknown; readonly targets?: unknown };
    if (event.type !== 'deploy' || !Array.isArray(event.targets)) continue;
    const target = event.targets.find(
      (each): each is string => typeof each === 'string' && /^https?:\/\/[^*]+$/.test(each),
    );
    if (target !== undefined) return target.replace(/\/$/, '');
  }
  return null;
}
