/**
 * `npm run advisories`: asks the registry, by `npm audit`, whether anything in the lock file has a known vulnerability. Fails for
 * each that docs/security.md does not explain by its id. A registry that cannot be reached, or has no advisories, is said aloud and
 * is no failure: CI must not hang on the network, and a green step must not look like a clean answer.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readCommandLine } from './command-line.ts';
import { ROOT } from './local-worker.ts';

const TIMEOUT_MS = 60_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

interface Advisory {
  readonly url: string;
  readonly title: string;
  readonly severity: string;
}
interface Report {
  readonly vulnerabilities?: Readonly<Record<string, { readonly via: readonly (Advisory | string)[] }>>;
  readonly error?: { readonly summary?: string };
  readonly message?: string;
}

readCommandLine('npm run advisories takes no options.', {});

const report = await npmAudit();
if (report.vulnerabilities === undefined) {
  console.log(`SKIPPED: nothing is known of advisories. ${report.error?.summary || report.message || 'No answer.'}`);
} else {
  const explained = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
  const found = new Map(
    Object.entries(report.vulnerabilities).flatMap(([name, { via }]) =>
      via.flatMap((each) => (typeof each === 'string' ? [] : [[each.url, { name, ...each }] as const])),
    ),
  );
  const open = [...found.values()].filter(({ url }) => !explained.includes(idOf(url)));
  for (const { name, severity, title, url } of open) console.error(`${name}: ${severity}: ${title} (${url})`);
  console.log(`advisories: ${found.size} found, ${found.size - open.length} explained in docs/security.md`);
  if (open.length > 0) process.exitCode = 1;
}

/** `GHSA-…` */
function idOf(url: string): string {
  return url.split('/').at(-1) ?? url;
}

/** npm exits with 1 when it finds something, and tells it all the same. */
async function npmAudit(): Promise<Report> {
  try {
    const options = { cwd: ROOT, timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX };
    const { stdout } = await promisify(execFile)(
      'npm',
      ['audit', '--json', '--package-lock-only', '--fetch-retries=0'],
      options,
    );
    return JSON.parse(stdout) as Report;
  } catch (error) {
    const stdout: unknown = Reflect.get(Object(error), 'stdout');
    if (typeof stdout !== 'string' || !stdout.trimStart().startsWith('{')) return { message: String(error) };
    return JSON.parse(stdout) as Report;
  }
}
