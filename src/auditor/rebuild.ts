/**
 * Rebuilds the record (D1) from the objects: each saga hands over all its closed runs and its row again, each wallet its row
 * of the directory. Every write is the consumers' own and idempotent: what is there already stays, counters move only for
 * runs that are new, so a record of any state, an empty one too, ends up complete. What became a tombstone since the record was emptied
 * is brought back from what was put aside then. Called by POST /ops/rebuild.
 */
import { checkSaga } from '../domain/archive/dossier.ts';
import { groupIdOf } from '../domain/events/envelope.ts';
import { SAGA_COMMITS_MAX, STORED_COMMITS_MAX } from '../domain/limits.ts';
import { publicationSchema } from '../domain/messages.ts';
import { messagesOf } from '../domain/saga/publication.ts';
import type { PublicationPage } from '../domain/saga-rpc.ts';
import type { WalletRpc } from '../domain/wallet-rpc.ts';
import { awaitPassed } from '../read-model/archived-payments.ts';
import { recordPublications } from '../read-model/record-publications.ts';
import { dropSetAside, readSetAside } from '../read-model/set-aside.ts';
import { enterWallets } from '../read-model/wallets.ts';
import { asCalls, type Calls, sagaStub } from '../stubs.ts';
import { logLine } from '../telemetry/log.ts';
import { tableOf } from './sagas.ts';

export interface Rebuilt {
  readonly sagas: number;
  readonly runs: number;
  readonly wallets: number;
  /** Ids of objects that hold nothing to tell: none of ours, never begun, or past their retention. */
  readonly empty: readonly string[];
}

/**
 * @param sagaIds payment and refund ids; `walletObjectIds`: hex ids of objects, since a wallet's own id is in the object.
 * @throws what an object or D1 throws; what was written until then stays, and the same again goes on.
 */
export async function rebuild(
  env: Env,
  sagaIds: readonly string[],
  walletObjectIds: readonly string[],
): Promise<Rebuilt> {
  const empty: string[] = [];
  let runs = 0;
  for (const id of sagaIds) {
    const rebuilt = await rebuildSaga(env, id);
    if (rebuilt === null) empty.push(id);
    else runs += rebuilt;
  }
  for (const id of walletObjectIds) {
    if (!(await rebuildWallet(env, id))) empty.push(id);
  }
  const isThere = (id: string): boolean => !empty.includes(id);
  return { sagas: sagaIds.filter(isThere).length, runs, wallets: walletObjectIds.filter(isThere).length, empty };
}

/** How many runs of the saga were recorded; null when there is none. */
async function rebuildSaga(env: Env, id: string): Promise<number | null> {
  const runs = await handedOver(env, id);
  if (runs === null || runs === 0) return runs;
  await dropSetAside(env.DB, id);
  await awaitPassed(env.DB, id, Date.now());
  return runs;
}

/** How many runs the saga handed over, or are brought back of it; null when there is none. */
async function handedOver(env: Env, id: string): Promise<number | null> {
  let afterSequence: number | null = 0;
  let runs: number | null = null;
  for (let read = 0; afterSequence !== null && read < SAGA_COMMITS_MAX; read += STORED_COMMITS_MAX) {
    const page: PublicationPage | null = (await sagaStub(env, id)?.publication(afterSequence)) ?? null;
    if (page === null) return bringBack(env, id);
    runs = (runs ?? 0) + page.publication.runs.length;
    // A saga that has closed no run yet has no row in the record either.
    if (page.publication.runs.length > 0) await recordPublications(env.DB, [page.publication]);
    afterSequence = page.afterSequence;
  }
  return runs;
}

/**
 * The runs of a saga that came to its end after the record was emptied: its object has none any more, and proves those that were put aside.
 * What it does not prove stays aside, for a person to see. Null: there are none.
 */
async function bringBack(env: Env, id: string): Promise<number | null> {
  const { tombstone = null } = (await sagaStub(env, id)?.storedCommits(0)) ?? {};
  const aside = tombstone === null ? null : await readSetAside(env.DB, id, tombstone);
  if (tombstone === null || aside === null || aside.runs.length === 0) return null;
  const [finding] = checkSaga(aside, tombstone);
  if (finding !== undefined) {
    logLine('rebuild.refused', { entity_id: id, reason: finding.what, alert: true });
    return null;
  }
  const row = tableOf(id) === 'payments' ? { payment: aside.row } : { refund: aside.row };
  for (const runs of messagesOf(aside.runs)) {
    const publication = { kind: 'publication', group_id: groupIdOf(id), ...row, runs };
    await recordPublications(env.DB, [publicationSchema.parse(publication)]);
  }
  return aside.runs.length;
}

async function rebuildWallet(env: Env, objectId: string): Promise<boolean> {
  const wallet = walletStub(env, objectId);
  const row = (await wallet?.directoryRow()) ?? null;
  if (wallet === null || row === null) return false;
  await enterWallets(env.DB, [row]);
  await wallet.acknowledgeListing();
  return true;
}

function walletStub(env: Env, objectId: string): Calls<WalletRpc> | null {
  try {
    return asCalls<WalletRpc>(env.WALLET.get(env.WALLET.idFromString(objectId)));
  } catch {
    // The only thing it throws for: the digits are not an id of this namespace.
    return null;
  }
}
