/**
 * Looks again before anything is called a difference. The record lags, and so do providers' lists: the owners of what
 * differs are asked how it stands now, its ledgers are read again, and what a provider's books lack is asked for by its id.
 * Reads only; bounded. Called by the phases that compare.
 */
import pLimit from 'p-limit';
import { RECONCILIATION_LOOKUPS_MAX } from '../../src/domain/limits.ts';
import {
  type PaymentRecord,
  paymentRecord,
  type RefundRecord,
  refundRecord,
} from '../../src/domain/reconciliation/books.ts';
import type { Difference } from '../../src/domain/reconciliation/difference.ts';
import type { ReconciliationPlan } from '../../src/domain/reconciliation/plan.ts';
import { type Comparison, type Lists, reconcile, type Scope } from '../../src/domain/reconciliation/reconcile.ts';
import { completedMinor } from '../../src/domain/reconciliation/refunds.ts';
import type { ReadRowResult } from '../../src/domain/saga-rpc.ts';
import { providerKey } from '../../src/gateway/keys.ts';
import { PROVIDER_CALLS_AT_ONCE_MAX } from '../../src/gateway/limits.ts';
import type { LookupAnswer, LookupRequest } from '../../src/gateway/provider.ts';
import type { Providers } from '../../src/gateway/registry.ts';
import { sagaStub } from '../../src/stubs.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { type Gathered, withLedgers } from './lists.ts';

/** Owners that are asked in one step: as many as may differ of a page, with a few refunds each. */
const OWNERS_MAX = 400;

/** The comparison as it stands after a second look at all that differed in the first one. */
export async function secondLook(
  env: Env,
  plan: ReconciliationPlan,
  providers: Providers,
  { lists, ledgerUnread }: Gathered,
  scope: Pick<Scope, 'window' | 'coverage'>,
): Promise<Comparison> {
  const first = reconcile(lists, { ...scope, ledgerUnread });
  const differing = new Set(first.differences.flatMap(({ paymentId }) => paymentId ?? []));
  if (differing.size === 0) return first;
  const present = await presentLists(env, plan.mode, lists, differing);
  const unread = new Set([...[...ledgerUnread].filter((id) => !differing.has(id)), ...present.ledgerUnread]);
  const second = reconcile(present.lists, { ...scope, ledgerUnread: unread });
  const differences = await confirmed(plan.mode, providers, present.lists, second.differences);
  const isUnasked = ({ paymentId }: Difference) => paymentId !== null && present.unasked.has(paymentId);
  return {
    ...second,
    differences: differences.map((difference) =>
      isUnasked(difference) ? { ...difference, confirmed: false } : difference,
    ),
  };
}

/**
 * The lists with what the owners of the differing payments say now, one that the record does not have and its owner does with them; and
 * of which payments an owner, its own or a refund's, could not be asked.
 */
async function presentLists(env: Env, mode: ReconciliationPlan['mode'], lists: Lists, differing: ReadonlySet<string>) {
  const isDiffering = ({ paymentId }: { readonly paymentId: string | null }) =>
    paymentId !== null && differing.has(paymentId);
  const lines = lists.lines.filter(isDiffering);
  const refundLines = lines.flatMap((line) =>
    line.kind === 'refund' && line.entityId?.startsWith('ref_') ? { id: line.entityId, paymentId: line.paymentId } : [],
  );
  // A refund that the record does not have yet, and the provider has, too.
  const ownRefunds = [...lists.refunds.filter(isDiffering), ...refundLines];
  const refundIds = new Set(ownRefunds.map(({ id }) => id));
  const owned = await readOwners(env, [...differing, ...refundIds]);
  const knownPayments = new Map(lists.payments.map((payment) => [payment.id, payment]));
  const known = new Map(lists.refunds.map((refund) => [refund.id, refund]));
  const presentPayments = [...differing].flatMap((id) => owned.payments.get(id) ?? knownPayments.get(id) ?? []);
  const presentRefunds = [...refundIds].flatMap((id) => owned.refunds.get(id) ?? known.get(id) ?? []);
  const again = await withLedgers(env, mode, presentPayments, presentRefunds, lines);
  const kept = <Item extends { readonly paymentId: string | null }>(items: readonly Item[]) =>
    items.filter((item) => !isDiffering(item));
  return {
    ledgerUnread: again.ledgerUnread,
    unasked: new Set([
      ...owned.unasked,
      ...ownRefunds.flatMap(({ id, paymentId }) => (owned.unasked.has(id) ? (paymentId ?? []) : [])),
    ]),
    lists: {
      payments: [...lists.payments.filter(({ id }) => !differing.has(id)), ...presentPayments],
      refunds: [...kept(lists.refunds), ...presentRefunds],
      lines: lists.lines,
      entries: [...kept(lists.entries), ...again.lists.entries],
      holds: [...kept(lists.holds), ...again.lists.holds],
    },
  };
}

/** How the owners of these payments and refunds see them: one that holds nothing is left out; one that does not answer, or is one too many, is `unasked`. */
export async function readOwners(env: Env, ids: readonly string[]) {
  const payments = new Map<string, PaymentRecord>();
  const refunds = new Map<string, RefundRecord>();
  const unasked = new Set(ids.slice(OWNERS_MAX));
  const asked = ids.slice(0, OWNERS_MAX);
  const rows = await Promise.all(asked.map((id) => readOwner(env, id)));
  for (const [index, row] of rows.entries()) {
    if (row === null) unasked.add(asked[index] ?? '');
    if (row?.kind !== 'found') continue;
    if (row.payment !== undefined) payments.set(row.payment.id, paymentRecord(row.payment));
    if (row.refund !== undefined) refunds.set(row.refund.id, refundRecord(row.refund));
  }
  return { payments, refunds, unasked };
}

/** null: it could not be asked. */
async function readOwner(env: Env, entityId: string): Promise<ReadRowResult | null> {
  try {
    return (await sagaStub(env, entityId)?.readRow()) ?? { kind: 'not_found' };
  } catch (error) {
    logLine('reconciliation.owner_unread', { entity_id: entityId, error: errorText(error) });
    return null;
  }
}

/** Asks for what the books lack. What is there after all is no difference; what cannot be asked for stays unconfirmed. */
async function confirmed(
  mode: ReconciliationPlan['mode'],
  providers: Providers,
  lists: Lists,
  differences: readonly Difference[],
): Promise<Difference[]> {
  const inTurn = pLimit(PROVIDER_CALLS_AT_ONCE_MAX[mode]);
  let looked = 0;
  const looks = differences.map(async (difference) => {
    const isMissing = difference.class === 'missing_at_provider' || difference.class === 'refund_missing_at_provider';
    if (!isMissing || difference.found.state !== 'nothing') return difference;
    const request = lookupOf(lists, difference);
    const provider = providers.get(difference.provider ?? '');
    looked += 1;
    if (request === null || provider === undefined || looked > RECONCILIATION_LOOKUPS_MAX) {
      return { ...difference, confirmed: false };
    }
    return afterLookup(difference, await inTurn(() => provider.lookup(request)), lists);
  });
  return (await Promise.all(looks)).filter((difference) => difference !== null);
}

/** By the reference only: a look-up without one may claim a key at the provider, and a reconciliation changes nothing. */
function lookupOf(lists: Lists, { paymentId, subject, provider }: Difference): LookupRequest | null {
  const payment = lists.payments.find(({ id }) => id === paymentId);
  if (payment === undefined || payment.reference === null || provider === null) return null;
  const refund = lists.refunds.find(({ id }) => id === subject);
  return {
    paymentId: payment.id,
    effectId: `reconciliation.${payment.id}`,
    chargeKey: providerKey(payment.id, 'authorize', provider),
    chargeReference: payment.reference,
    ...(refund !== undefined && { refundKey: providerKey(refund.id, 'refund', provider) }),
    amountMinor: refund?.amountMinor ?? payment.amountMinor,
    currency: payment.currency,
  };
}

/** null: it is there after all. */
function afterLookup(difference: Difference, answer: LookupAnswer, lists: Lists): Difference | null {
  const payment = lists.payments.find(({ id }) => id === difference.paymentId);
  const refunds = lists.refunds.filter(({ paymentId }) => paymentId === difference.paymentId);
  switch (answer.kind) {
    case 'approved':
      if (answer.captured || payment?.method === 'balance') return null;
      return { ...difference, found: { ...difference.found, state: 'authorized' } };
    case 'refunded':
      // Of a charge: that it was in force, and all of it was given back; by us, then.
      if (difference.class === 'refund_missing_at_provider') return null;
      if (payment !== undefined && completedMinor(refunds) === payment.amountMinor) return null;
      return { ...difference, found: { ...difference.found, state: 'refunded' } };
    case 'absent':
      return difference;
    case 'pending':
    case 'declined':
    case 'voided':
    case 'refused':
      return { ...difference, found: { ...difference.found, state: answer.kind } };
    case 'unknown':
    case 'not_sent':
    case 'throttled':
    case 'misconfigured':
      return { ...difference, confirmed: false };
  }
}
