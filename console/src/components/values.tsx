/** Single values as they look everywhere: a status, an amount, a time, an id that leads somewhere. */
import { Badge } from '@cloudflare/kumo/components/badge';
import { moneyText, timeText, words } from '../format.ts';
import { addressOf } from '../router.ts';

const VARIANTS = {
  COMPLETED: 'success',
  FAILED: 'error',
  PENDING: 'info',
  needs_attention: 'warning',
  stuck: 'warning',
  closed: 'success',
  open: 'error',
  half_open: 'warning',
  forced_open: 'error',
  forced_closed: 'warning',
  present: 'warning',
  redriven: 'success',
  discarded: 'secondary',
  running: 'info',
  finished: 'success',
  failed: 'error',
} as const;

export function Status({ value }: { value: string }) {
  const variant = value in VARIANTS ? VARIANTS[value as keyof typeof VARIANTS] : 'secondary';
  return <Badge variant={variant}>{words(value)}</Badge>;
}

export function Money({ amount, currency }: { amount: number | string; currency: string }) {
  return <span className="money">{moneyText(amount, currency)}</span>;
}

export function When({ at }: { at: string | null | undefined }) {
  if (at === null || at === undefined) return <span className="subtle">never</span>;
  return (
    <time dateTime={at} title={at} className="nowrap">
      {timeText(at)}
    </time>
  );
}

/** An id that leads to its view: of a payment, a wallet, a refund (at its payment). */
export function IdLink({ view, id, payment }: { view: 'payments' | 'wallets'; id: string; payment?: string }) {
  const isLong = id.length > 20;
  return (
    <a className="id" href={addressOf([view, payment ?? id])} title={id}>
      {isLong ? (
        <>
          <span aria-hidden="true">{`${id.slice(0, 10)}…${id.slice(-5)}`}</span>
          <span className="visually-hidden">{id}</span>
        </>
      ) : (
        id
      )}
    </a>
  );
}
