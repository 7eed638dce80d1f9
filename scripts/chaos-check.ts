/**
 * Pure: the verdict of the chaos run. What the clients were told, what the service says in the end, and the providers' own
 * books, compared line by line; each violation is one sentence. Called by chaos.ts; test/e2e/chaos-check.test.ts tampers
 * with each of the three and expects to be told.
 */

/** A payment or refund that a client has an answer of, as it was read in the end; null: nobody knows it any more. */
export interface Acknowledged<View> {
  readonly id: string;
  readonly view: View | null;
}

export interface PaymentEnd {
  readonly status: string;
  readonly saga_state: string;
  readonly wallet_id: string;
  readonly amount: number;
  readonly currency: string;
  readonly method: string;
  readonly refunded_amount: number;
}

export interface RefundEnd {
  readonly status: string;
  readonly payment_id: string;
  readonly amount?: number;
}

export interface WalletEnd {
  readonly id: string;
  readonly currency: string;
  readonly available: number;
  readonly held: number;
  readonly settled: number;
  readonly external: number;
}

/** Lines of the books of all providers. */
export interface ChargeLine {
  readonly key: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly status: string;
}

export interface RefundLine {
  readonly chargeKey: string;
  readonly amountMinor: number;
  readonly status: string;
}

export interface Evidence {
  readonly payments: readonly Acknowledged<PaymentEnd>[];
  readonly refunds: readonly Acknowledged<RefundEnd>[];
  readonly wallets: readonly WalletEnd[];
  readonly charges: readonly ChargeLine[];
  readonly chargeRefunds: readonly RefundLine[];
}

/** Empty: nothing was lost, nothing happened twice, everything has ended, and all books agree. */
export function violationsIn(evidence: Evidence): string[] {
  return [
    ...unfinished('payment', evidence.payments),
    ...unfinished('refund', evidence.refunds),
    ...evidence.payments.flatMap((payment) => againstBooks(payment, evidence)),
    ...unknownCharges(evidence),
    ...evidence.wallets.flatMap((wallet) => againstPayments(wallet, evidence)),
  ];
}

function unfinished(
  noun: string,
  acknowledged: readonly Acknowledged<{ readonly status: string; readonly saga_state?: string }>[],
): string[] {
  return acknowledged.flatMap(({ id, view }) => {
    if (view === null) return [`lost: ${noun} ${id} was acknowledged and is not there`];
    return view.status === 'PENDING' ? [`stuck: ${noun} ${id} is in ${view.saga_state ?? view.status}`] : [];
  });
}

/** A charge that holds or has taken money; what was given back of it is counted apart. */
function isInForce({ status }: ChargeLine): boolean {
  return status === 'authorized' || status === 'captured';
}

/** X2, from our side: a completed payment is one charge of its amount; a failed one is none; refunds agree to the unit. */
function againstBooks({ id, view }: Acknowledged<PaymentEnd>, { charges, chargeRefunds, refunds }: Evidence): string[] {
  if (view === null || view.status === 'PENDING') return [];
  const inForce = charges.filter((charge) => charge.paymentId === id && isInForce(charge));
  const keys = new Set(inForce.map(({ key }) => key));
  if (inForce.length > 1) return [`charged twice: payment ${id} has the charges ${[...keys].join(' and ')}`];
  const [charge] = inForce;
  if (view.status === 'FAILED')
    return charge === undefined ? [] : [`charged: payment ${id} FAILED, ${charge.key} did not`];
  if (charge === undefined) return [`not charged: payment ${id} COMPLETED without a charge`];
  const isSame = charge.amountMinor === view.amount && charge.currency === view.currency;
  const given = sum(chargeRefunds.filter((line) => keys.has(line.chargeKey) && line.status === 'refunded'));
  const ours = sum(refundsOf(id, refunds).map((refund) => ({ amountMinor: refund.amount ?? 0 })));
  return [
    ...(isSame ? [] : [`another amount: payment ${id} is ${view.amount}, ${charge.key} is ${charge.amountMinor}`]),
    ...(given === ours && given === view.refunded_amount
      ? []
      : [
          `refunds: of payment ${id} the provider has ${given}, the refunds ${ours}, the payment ${view.refunded_amount}`,
        ]),
  ];
}

function refundsOf(paymentId: string, refunds: Evidence['refunds']): RefundEnd[] {
  return refunds.flatMap(({ view }) =>
    view !== null && view.payment_id === paymentId && view.status === 'COMPLETED' ? [view] : [],
  );
}

/** X2, from the provider's side: no charge that nobody of ours has asked for. */
function unknownCharges({ payments, charges }: Evidence): string[] {
  const known = new Set(payments.map(({ id }) => id));
  return charges
    .filter((charge) => !known.has(charge.paymentId))
    .map(({ key }) => `unknown charge: no payment that was acknowledged stands behind ${key}`);
}

/** X1, and that a wallet has paid what its payments say. */
function againstPayments(wallet: WalletEnd, { payments, refunds }: Evidence): string[] {
  const { id, available, held, settled, external } = wallet;
  const paid = payments.flatMap((payment) => {
    const { view } = payment;
    const isOurs = view?.wallet_id === id && view.method === 'balance' && view.status === 'COMPLETED';
    if (!isOurs) return [];
    const refunded = sum(refundsOf(payment.id, refunds).map((refund) => ({ amountMinor: refund.amount ?? 0 })));
    return [{ amountMinor: view.amount - refunded }];
  });
  return [
    ...(available + held + settled - external === 0 ? [] : [`X1: wallet ${id} does not sum to zero`]),
    ...(held === 0 ? [] : [`held: wallet ${id} still holds ${held}`]),
    ...(settled === sum(paid) ? [] : [`wallet ${id} has paid ${settled}, its payments say ${sum(paid)}`]),
  ];
}

function sum(lines: readonly { readonly amountMinor: number }[]): number {
  return lines.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
