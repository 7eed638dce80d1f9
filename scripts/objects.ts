/**
 * Which objects there are, for scripts that go over all of them, since the record may have lost some: from the files of a
 * local state, from the platform's REST API, or from a file of ids. Reads only.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publicIdFromHex } from '../src/domain/ids.ts';
import { ROOT } from './local-worker.ts';

export interface ObjectIds {
  /** Payment and refund ids. */
  readonly sagas: readonly string[];
  /** Hex ids of the wallets' objects. */
  readonly wallets: readonly string[];
}

/** Of the Worker in wrangler.toml. */
const SCRIPT = 'holdfast';
/** Where `wrangler dev` keeps its state. */
export const LOCAL_STATE = join(ROOT, '.wrangler/state');
const API = 'https://api.cloudflare.com/client/v4';
/** The most that the API lists at once. */
const OBJECTS_PER_PAGE = 10_000;
/** A billion objects of one class: more pages are a cursor that leads nowhere. */
const PAGES_MAX = 100_000;
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Objects of a local state: one SQLite file each, named by the object's id. Of an object that was only asked there is a file too.
 * @throws for a folder that is no such state: with nothing to look at, nothing would be found.
 */
export function localObjects(state: string): ObjectIds {
  if (!existsSync(join(state, 'v3'))) throw new Error(`${state} is no state of wrangler dev: it has no folder v3`);
  return named((objectClass) => {
    const folder = join(state, 'v3/do', `${SCRIPT}-${objectClass}`);
    if (!existsSync(folder)) return [];
    return readdirSync(folder).flatMap((file) => /^([0-9a-f]{64})\.sqlite$/.exec(file)?.[1] ?? []);
  });
}

/** One id a line: `pay_…`, `ref_…`, or the hex id of a wallet's object. */
export function objectsInFile(path: string): ObjectIds {
  const lines = readFileSync(path, 'utf8').split('\n');
  const ids = lines.map((line) => line.trim()).filter((line) => line !== '');
  const wallets = ids.filter((id) => /^[0-9a-f]{64}$/.test(id));
  return { sagas: ids.filter((id) => !wallets.includes(id)), wallets };
}

/**
 * Objects of a deployed Worker. The token needs "Workers Scripts Read"
 * (https://developers.cloudflare.com/api/resources/durable_objects/).
 * @throws what the API answers when it refuses.
 */
export async function deployedObjects(accountId: string, token: string, script = SCRIPT): Promise<ObjectIds> {
  const base = `/accounts/${accountId}/workers/durable_objects/namespaces`;
  const namespaces = new Map<string, string>();
  for (let page = 1; page <= PAGES_MAX; page++) {
    const { result } = await get<readonly Namespace[]>(`${base}?per_page=100&page=${page}`, token);
    for (const each of result) if (each.script === script) namespaces.set(each.class, each.id);
    if (result.length < 100) break;
  }
  const objects = new Map<string, string[]>();
  for (const objectClass of ['PaymentSaga', 'RefundSaga', 'Wallet']) {
    const id = namespaces.get(objectClass);
    objects.set(objectClass, id === undefined ? [] : await objectsOf(`${base}/${id}/objects`, token));
  }
  return named((objectClass) => objects.get(objectClass) ?? []);
}

interface Namespace {
  readonly id: string;
  readonly class: string;
  readonly script: string;
}

async function objectsOf(path: string, token: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  for (let page = 1; page <= PAGES_MAX; page++) {
    const query = new URLSearchParams({ limit: String(OBJECTS_PER_PAGE), ...(cursor !== '' && { cursor }) });
    const answer = await get<readonly { readonly id: string; readonly hasStoredData: boolean }[]>(
      `${path}?${query}`,
      token,
    );
    ids.push(...answer.result.filter(({ hasStoredData }) => hasStoredData).map(({ id }) => id));
    cursor = answer.result_info?.cursor ?? '';
    if (cursor === '') return ids;
  }
  throw new Error(`${path} has more than ${PAGES_MAX} pages`);
}

async function get<Result>(
  path: string,
  token: string,
): Promise<{ readonly result: Result; readonly result_info?: { readonly cursor?: string } }> {
  const response = await fetch(API + path, {
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return response.json() as Promise<{ result: Result; result_info?: { cursor?: string } }>;
}

function named(hexIdsOf: (objectClass: string) => readonly string[]): ObjectIds {
  const ids = (prefix: 'pay_' | 'ref_', objectClass: string) =>
    hexIdsOf(objectClass).map((hex) => publicIdFromHex(prefix, hex));
  return {
    sagas: [...ids('pay_', 'PaymentSaga'), ...ids('ref_', 'RefundSaga')],
    wallets: [...hexIdsOf('Wallet')],
  };
}
