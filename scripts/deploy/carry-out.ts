/**
 * Carries out a plan, step by step, saying each. Every step can be run again: what a broken run has done, the next one finds.
 */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDeployed } from './check.ts';
import { DeployError } from './fail.ts';
import { type Step, toldStep } from './plan.ts';
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
}

/** @throws DeployError at the first step that fails; what was done before it stays. */
export async function carryOut(steps: readonly Step[], work: Work): Promise<void> {
  let url = work.url;
  for (const step of steps) {
    work.say(toldStep(step));
    switch (step.do) {
      case 'create_database':
        await mustRun(work.wrangler, ['d1', 'create', step.name]);
        await work.refreshConfig();
        break;
      case 'create_queue':
        await mustRun(work.wrangler, ['queues', 'create', step.name]);
        break;
      case 'create_bucket':
        await mustRun(work.wrangler, ['r2', 'bucket', 'create', step.name]);
        break;
      case 'migrate':
        await mustRun(work.wrangler, ['d1', 'migrations', 'apply', 'DB', '--remote', '--config', work.configFile]);
        break;
      case 'set_secrets':
        await setSecrets(step.names, work);
        break;
      case 'deploy': {
        const deployedTo = await deployWorker(work);
        url = work.url ?? deployedTo;
        break;
      }
      case 'check':
        await checkDeployed(known(url));
        work.say(`         ${known(url)}`);
        break;
      case 'first_key':
        await work.makeKey(known(url));
        break;
    }
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
