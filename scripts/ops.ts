/**
 * What the operators' scripts share: their arguments, calls to /ops of a running instance, and where ids of objects come
 * from. Used by audit.ts and rebuild.ts.
 */
import { readCommandLine, unreachable } from './command-line.ts';
import { DEFAULT_PORT } from './local-worker.ts';
import { deployedObjects, LOCAL_STATE, localObjects, type ObjectIds, objectsInFile } from './objects.ts';

/** A page asks up to fifty objects, which a busy machine may take a while for. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface OpsArguments {
  readonly url: string;
  readonly objects?: string;
  readonly actor?: string;
  readonly reason?: string;
}

const TARGET = {
  url: { type: 'string', default: `http://localhost:${DEFAULT_PORT}` },
  objects: { type: 'string' },
} as const;
const TARGET_USAGE = `  --url      absent: ${TARGET.url.default}
  --objects  local | local:<folder> | file:<path> | deployed | deployed:<Worker>   (docs/runbook.md)`;

/** Ends the process for `--help`, and for what is not known. */
export function readAuditArguments(): OpsArguments {
  const usage = `npm run audit -- [--url <url>] [--objects <source>]\n\n${TARGET_USAGE}`;
  return withoutSlash(readCommandLine(usage, TARGET).values);
}

/** Ends the process for `--help`, and for what is not known. */
export function readRebuildArguments(): OpsArguments {
  const word = { actor: { type: 'string' }, reason: { type: 'string' } } as const;
  const usage = `npm run rebuild -- --objects <source> --actor <name> --reason <text> [--url <url>]

${TARGET_USAGE}
  --actor    who asks for it
  --reason   why; both are kept in the audit log`;
  return withoutSlash(readCommandLine(usage, { ...TARGET, ...word }).values);
}

function withoutSlash<Arguments extends OpsArguments>(given: Arguments): Arguments {
  return { ...given, url: given.url.replace(/\/$/, '') };
}

/**
 * `local` (the state of `wrangler dev`), `local:<folder>`, `file:<path>`, or `deployed` (`deployed:<Worker>`), for which
 * CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are read from the environment.
 */
export async function objectsFrom(source: string): Promise<ObjectIds> {
  const [kind, ...rest] = source.split(':');
  const path = rest.join(':');
  if (kind === 'local') return localObjects(path === '' ? LOCAL_STATE : path);
  if (kind === 'file') return objectsInFile(path);
  if (kind !== 'deployed')
    throw new Error(`--objects ${source}: must be local, local:<folder>, file:<path> or deployed`);
  const { CLOUDFLARE_ACCOUNT_ID: accountId, CLOUDFLARE_API_TOKEN: token } = process.env;
  if (accountId === undefined || token === undefined) {
    throw new Error('--objects deployed needs CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN');
  }
  return path === '' ? deployedObjects(accountId, token) : deployedObjects(accountId, token, path);
}

/** The key to speak with, from HOLDFAST_API_KEY; none where authentication is open. */
function authorization(): Record<string, string> {
  const key = process.env.HOLDFAST_API_KEY;
  return key === undefined || key === '' ? {} : { authorization: `Bearer ${key}` };
}

/** Sends what an operator asks for, with the key in HOLDFAST_API_KEY, if there is one. @throws for any refusal, and where nobody answers. */
export async function postTo<Answer>(url: string, path: string, body: object): Promise<Answer> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization() },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new Error(unreachable(url, error));
  });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

export function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}
