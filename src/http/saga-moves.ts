/**
 * A person's move on a saga, for the routes that take one: judged first, written into the audit log, then made; and what it
 * came to in the wallet's ledger. The saga's table decides; nothing is decided here.
 */
import type { ApiErrorCode } from '../domain/errors.ts';
import type { Scope } from '../domain/ids.ts';
import { MOVE_WAIT_MS, PAGE_LIMIT_MAX } from '../domain/limits.ts';
import type { OperatorMove } from '../domain/saga/table.ts';
import type { SagaRpc } from '../domain/saga-rpc.ts';
import type { EntryView } from '../domain/wallet-rpc.ts';
import { audit } from './audit.ts';
import type { AppContext } from './context.ts';
import { callObject, type Reach, sagaOfEntity, walletOf } from './objects.ts';
import type { SagaView } from './schemas/saga.ts';

type Refused = Extract<ApiErrorCode, 'not_found' | 'saga_not_in_attention' | 'saga_move_not_possible'>;

export interface MoveAnswer {
  readonly object: 'saga_move';
  readonly repeated: boolean;
  readonly ledger_effect: { readonly status: 'entries' | 'none' | 'pending'; readonly entries: EntryView[] };
  readonly saga: SagaView;
}

const REFUSED: Readonly<Record<'not_found' | 'not_in_attention' | 'not_possible', Refused>> = {
  not_found: 'not_found',
  not_in_attention: 'saga_not_in_attention',
  not_possible: 'saga_move_not_possible',
};

/** Checks, in order: there is such a saga → it needs attention, or has had this move → its reason takes it → the audit log. */
export async function move(c: AppContext, id: string, asked: OperatorMove): Promise<MoveAnswer | Refused> {
  const saga = sagaOfEntity(c.env, id);
  if (saga === null) return 'not_found';
  const scope = await scopeOfSaga(c, saga);
  const judged = await callObject(saga, (stub) => stub.judgeMove(scope, asked));
  if (judged.kind !== 'possible' && judged.kind !== 'repeated') return REFUSED[judged.kind];
  const before = await ledgerOf(c, id, scope);
  if (judged.kind === 'possible') {
    const { actor, reason, kind, resolution } = asked;
    const subject = resolution === undefined ? id : `${id} ${resolution}`;
    await audit(c, { actor, action: `saga.${kind}`, subject, reason, merchant: scope.merchant });
  }
  const made = await callObject(saga, (stub) => stub.makeMove(scope, asked, MOVE_WAIT_MS));
  if (made.kind !== 'moved' && made.kind !== 'repeated') return REFUSED[made.kind];
  const after = await ledgerOf(c, id, scope);
  if (before === null || after === null) return 'not_found';
  // Of a move that was made before, the ledger has what it has; a hold is never what a move comes to.
  const isOfMove = ({ sequence, type }: EntryView): boolean =>
    made.kind === 'repeated' ? type !== 'hold' : sequence > before.version;
  const entries = after.entries.filter(isOfMove);
  const none = made.settled ? 'none' : 'pending';
  return {
    object: 'saga_move',
    repeated: made.kind === 'repeated',
    ledger_effect: { status: entries.length > 0 ? 'entries' : none, entries },
    saga: after.view,
  };
}

/**
 * In whose scope an operator speaks to a saga: in their merchant's, which finds nothing of another's; with a platform key, in that
 * of whoever it belongs to.
 */
export async function scopeOfSaga(c: AppContext, saga: Reach<SagaRpc>): Promise<Scope> {
  const { merchant, mode } = c.get('purview');
  if (merchant !== null) return { merchant, mode };
  const read = await callObject(saga, (stub) => stub.readRow());
  const row = read.kind === 'found' ? (read.payment ?? read.refund) : undefined;
  return row?.mode === mode ? { merchant: row.merchant, mode } : c.get('scope');
}

interface Ledger {
  readonly view: SagaView;
  /** Of the wallet; 0 where there is none, as there need not be for a card. */
  readonly version: number;
  /** This saga's own among the wallet's newest, oldest first. */
  readonly entries: EntryView[];
}

/** The saga, and then its wallet's newest entries: what the saga has heard of is in them. */
async function ledgerOf(c: AppContext, id: string, scope: Scope): Promise<Ledger | null> {
  const saga = sagaOfEntity(c.env, id);
  const found = saga === null ? null : await callObject(saga, (stub) => stub.inspect(scope));
  if (found?.kind !== 'found') return null;
  const view = JSON.parse(found.body) as SagaView;
  const { wallet_id: walletId } = view.in_force;
  if (typeof walletId !== 'string') return { view, version: 0, entries: [] };
  const page = { beforeSequence: null, limit: PAGE_LIMIT_MAX, atMs: null };
  const ledger = await callObject(walletOf(c.env, scope, walletId), (wallet) => wallet.readEntries(page));
  const entries = ledger.kind === 'found' ? [...ledger.entries] : [];
  return {
    view,
    version: entries[0]?.sequence ?? 0,
    entries: entries.filter(({ effect_id }) => effect_id.includes(id)).reverse(),
  };
}
