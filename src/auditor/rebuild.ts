/**
 * Rebuilds the record (D1) from the objects: each saga hands over all its closed runs and its row again, each wallet its row
 * of the directory. Every write is the consumers' own and idempotent: what is there already stays, counters move only for
 * runs that are new, so a record of any state, an empty one too, ends up complete. Called by POST /ops/rebuild.
 */
import { SAGA_COMMITS_MAX, STORED_COMMITS_MAX } from '../domain/limits.ts';
import type { PublicationPage } from '../domain/saga-rpc.ts';
import type { WalletRpc } from '../domain/wallet-rpc.ts';
import { awaitPassed } from '../read-model/archived-payments.ts';
import { recordPublications } from '../read-model/record-publications.ts';
import { enterWallets } from '../read-model/wallets.ts';
import { asCalls, type Calls, sagaStub } from '../stubs.ts';

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

/** How many runs the saga handed over; null when there is none. */
async function rebuildSaga(env: Env, id: string): Promise<number | null> {
  let afterSequence: number | null = 0;
  let runs: number | null = null;
  for (let read = 0; afterSequence !== null && read < SAGA_COMMITS_MAX; read += STORED_COMMITS_MAX) {
    const page: PublicationPage | null = (await sagaStub(env, id)?.publication(afterSequence)) ?? null;
    if (page === null) return null;
    runs = (runs ?? 0) + page.publication.runs.length;
    // A saga that has closed no run yet has no row in the record either.
    if (page.publication.runs.length > 0) await recordPublications(env.DB, [page.publication]);
    afterSequence = page.afterSequence;
  }
  await awaitPassed(env.DB, id, Date.now());
  return runs;
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
