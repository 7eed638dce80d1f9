/**
 * `npm run audit -- --url http://localhost:8080 [--objects local]`: audits everything that an instance has stored, page by
 * page, and prints what was checked and what was found; with `--objects` also the sagas that the record knows nothing of.
 * It changes nothing. Exit code 0: nothing found; 1: something found; 2: the audit could not be ended.
 */
import { AUDIT_OBJECTS_MAX } from '../src/domain/limits.ts';
import { messageOf } from './command-line.ts';
import { chunksOf, objectsFrom, postTo, readAuditArguments } from './ops.ts';

interface Finding {
  readonly where: string;
  readonly rule: string;
  readonly what: string;
}

interface Page {
  readonly part: string;
  readonly checked: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly totals?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly head?: { readonly id: number; readonly hash: string | null };
  readonly next_cursor: string | null;
}

/** Findings are counted to the end, and listed so far. */
const LISTED_MAX = 200;

const checked = new Map<string, Map<string, number>>();
const findings: Finding[] = [];
let found = 0;

try {
  const { url, objects } = readAuditArguments();
  // Before the walk, which may take long: a source that cannot be read is told at once.
  const { sagas } = objects === undefined ? { sagas: [] } : await objectsFrom(objects);
  await walk(url);
  for (const ids of chunksOf(sagas, AUDIT_OBJECTS_MAX)) take(await postTo<Page>(url, '/ops/audit', { ids }));
  report();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 2;
}

async function walk(url: string): Promise<void> {
  let cursor: string | null = null;
  do {
    const page: Page = await postTo<Page>(url, '/ops/audit', cursor === null ? {} : { cursor });
    take(page);
    cursor = page.next_cursor;
  } while (cursor !== null);
}

function take(page: Page): void {
  const counts = checked.get(page.part) ?? new Map<string, number>();
  for (const [name, count] of Object.entries(page.checked)) counts.set(name, (counts.get(name) ?? 0) + count);
  checked.set(page.part, counts);
  found += page.findings.length;
  findings.push(...page.findings.slice(0, LISTED_MAX - findings.length));
  for (const [currency, totals] of Object.entries(page.totals ?? {})) {
    console.log(
      `${currency}  ${Object.entries(totals)
        .map(([account, minor]) => `${account} ${minor}`)
        .join('  ')}`,
    );
  }
  if (page.head !== undefined) console.log(`audit log: head ${page.head.id} ${page.head.hash ?? '(no hash)'}`);
}

function report(): void {
  console.log('\nchecked');
  for (const [part, counts] of checked) {
    console.log(`  ${part.padEnd(10)} ${[...counts].map(([name, count]) => `${name} ${count}`).join(', ')}`);
  }
  console.log(`\nfound ${found}${found > findings.length ? `, of which ${findings.length} are listed` : ''}`);
  for (const { where, rule, what } of findings) console.log(`  ${rule.padEnd(8)} ${where}: ${what}`);
  process.exitCode = found === 0 ? 0 : 1;
}
