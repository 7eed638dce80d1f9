/**
 * A payment's PaymentIntents, where none of their ids was ever heard: from the account's list, which shows at once what was
 * written, and from its search, which reaches back for ever and lags (https://docs.stripe.com/search#data-freshness). It must
 * never call a part of the list the whole: the adapter takes "none in it" for a proof (docs/decisions/0023-stripe-look-up.md).
 */
import { CLOCKS_APART_MAX_MS, LOOKUP_PAGES_MAX } from '../limits.ts';
import type { NoAnswer, Span } from '../provider.ts';
import { PAGE_SIZE, type StripeClient } from './stripe-client.ts';
import { intentOf } from './stripe-mapping.ts';

export interface Finds {
  readonly ids: readonly string[];
  /** All that can be the payment's was looked through. */
  readonly isWhole: boolean;
  /** What could not be asked. */
  readonly unanswered: NoAnswer | null;
}

interface Sought {
  readonly paymentId: string;
  readonly madeWithin?: Span;
}

/** What one of the two has is there, whatever the other says. */
export async function findIntents(client: StripeClient, { paymentId, madeWithin }: Sought): Promise<Finds> {
  const query = `metadata['payment_id']:'${paymentId}'`;
  const [listed, searched] = await Promise.all([
    findListed(client, paymentId, madeWithin),
    client.page('/v1/payment_intents/search', { query }),
  ]);
  if (!Array.isArray(searched)) return { ...listed, unanswered: listed.unanswered ?? searched };
  return { ...listed, ids: [...new Set([...listed.ids, ...idsOf(paymentId, searched)])] };
}

/**
 * Those of the list, newest first. While they can still be made, of its first page; after that, of the list of that time, page by
 * page until one has them: LOOKUP_PAGES_MAX at most. A thing in it that cannot be read may be the payment's.
 */
async function findListed(client: StripeClient, paymentId: string, madeWithin: Span | undefined): Promise<Finds> {
  const isOver = madeWithin !== undefined && Date.now() > madeWithin.toMs + CLOCKS_APART_MAX_MS;
  let after: string | undefined;
  for (let read = 0; read < (isOver ? LOOKUP_PAGES_MAX : 1); read += 1) {
    const page = await client.listPage('/v1/payment_intents', {
      limit: String(PAGE_SIZE),
      ...(madeWithin !== undefined && createdWithin(madeWithin)),
      ...(after !== undefined && { starting_after: after }),
    });
    if (page.kind !== 'page') return { ids: [], isWhole: false, unanswered: page };
    const ids = idsOf(paymentId, page.data);
    if (ids.length > 0) return { ids, isWhole: false, unanswered: null };
    const intents = page.data.map(intentOf);
    after = intents.at(-1)?.id;
    if (intents.includes(null) || (page.hasMore && after === undefined)) break;
    if (!page.hasMore) return { ids: [], isWhole: isOver, unanswered: null };
  }
  return { ids: [], isWhole: false, unanswered: null };
}

function idsOf(paymentId: string, page: readonly unknown[]): string[] {
  return page.flatMap((item) => {
    const intent = intentOf(item);
    return intent?.metadata.payment_id === paymentId ? [intent.id] : [];
  });
}

/** By Stripe's clock, in its whole seconds. */
function createdWithin({ fromMs, toMs }: Span): Readonly<Record<string, string>> {
  return {
    'created[gte]': String(Math.floor((fromMs - CLOCKS_APART_MAX_MS) / 1_000)),
    'created[lte]': String(Math.ceil((toMs + CLOCKS_APART_MAX_MS) / 1_000)),
  };
}
