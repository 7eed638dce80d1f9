/** A load of payments: each with a fresh key, answered at once or followed to COMPLETED. Used by the benchmarks. */
import { randomUUID } from 'node:crypto';
import type { PaymentView } from '../src/domain/payment.ts';
import type { Load, LoadLength } from './load.ts';

export interface PaymentLoad {
  readonly concurrency: number;
  readonly length: LoadLength;
  /** Of the n-th payment. */
  readonly walletOf: (n: number) => string;
  /** Whether the answer is waited for until the payment has COMPLETED. */
  readonly waits: boolean;
  /** Gets the id of each payment that was made. */
  readonly ids?: string[];
}

export function paymentLoad(origin: string, { concurrency, length, walletOf, waits, ids }: PaymentLoad): Load {
  return {
    url: `${origin}/payments`,
    concurrency,
    length,
    request: (n) => ({
      headers: { 'idempotency-key': randomUUID(), ...(waits && { prefer: 'wait=25' }) },
      body: JSON.stringify({
        wallet_id: walletOf(n),
        service_id: 'bench',
        amount: 10,
        currency: 'USD',
        method: 'balance',
      }),
    }),
    expectStatus: waits ? 201 : 202,
    isGood: (body) => {
      const { id, status } = JSON.parse(body) as PaymentView;
      ids?.push(id);
      return !waits || status === 'COMPLETED';
    },
  };
}
