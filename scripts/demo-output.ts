/**
 * How the demo looks: colours (on a terminal that wants them), the lines of a timeline, tables, amounts. Knows the shapes
 * of the public JSON and nothing of how it is fetched.
 */
import { CATALOGUE, isEventType } from '../src/domain/events/catalogue.ts';
import type { Envelope } from '../src/domain/events/envelope.ts';
import { formatMinor } from '../src/domain/money.ts';
import type { PaymentView } from '../src/domain/payment.ts';
import type { EntryView, WalletView } from '../src/domain/wallet-rpc.ts';

// https://no-color.org: any value but the empty one.
const COLOURED = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint =
  (code: number) =>
  (text: string): string =>
    COLOURED ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** 99998770 USD → "999,987.70". */
export function money(amountMinor: number, currency: string): string {
  const [whole = '', decimals] = formatMinor(amountMinor, currency).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** One event of a timeline: time since the first, type, and what it means. */
export function timelineLine(event: Envelope, startedAtMs: number): string {
  const sinceMs = Date.parse(event.timestamp) - startedAtMs;
  const kind = isEventType(event.event_type) ? CATALOGUE[event.event_type].kind : 'fact';
  const type = event.event_type.padEnd(36);
  const line = `  ${`+${sinceMs} ms`.padStart(9)}  ${kind === 'fact' ? typeColour(event)(type) : dim(type)} ${meaning(event)}`;
  return kind === 'metric' ? dim(line) : line;
}

function typeColour(event: Envelope): (text: string) => string {
  if (event.event_type === 'payment.completed' || event.event_type === 'refund.completed') return green;
  const bad = /failed$/.test(event.event_type) || /UNAUTHORIZED|FAILED/.test(String(event.payload.gateway_status));
  return bad ? yellow : bold;
}

function meaning({ event_type: type, payload }: Envelope): string {
  const text = (name: string): string => String(payload[name] ?? '');
  const amount = (): string => `${money(Number(payload.amount), text('currency'))} ${text('currency')}`;
  switch (type) {
    case 'payment.created':
      return `${amount()} from ${text('wallet_id')} for ${text('service_id')}; the key is claimed`;
    case 'orchestrator.wallet.hold_funds':
      return `→ wallet: set ${amount()} aside`;
    case 'wallet.hold_funds':
      return 'HELD';
    case 'payment_gateway.routed':
      return `to ${text('provider')}, by the rule ${text('rule')}`;
    case 'orchestrator.gateway.authorize':
      return '→ gateway: authorize the sale';
    case 'orchestrator.gateway.unauthorize':
      return '→ gateway: void the authorization';
    case 'payment_gateway.response':
      return [text('gateway_status'), text('decline_code'), payload.provider ? `by ${text('provider')}` : '']
        .filter((part) => part !== '')
        .join(' ');
    case 'orchestrator.wallet.debit':
      return '→ wallet: take the held amount';
    case 'wallet.debit':
      return 'DEBITED';
    case 'wallet.debit_failed':
      return `refused: ${text('reason')}`;
    case 'orchestrator.wallet.release_funds':
      return '→ wallet: give the held amount back';
    case 'wallet.release_funds':
      return 'RELEASED';
    case 'payment.completed':
      return 'COMPLETED: the money moved';
    case 'payment.failed':
      return `FAILED: ${text('failure_code')}; nothing is held, nothing is in force at the gateway`;
    case 'refund.created':
      return 'the key is claimed';
    case 'orchestrator.payment.reserve_refund':
      return "→ payment's object: set this part aside";
    case 'payment.refund_reserved':
      return `RESERVED ${amount()}: no other refund can take it`;
    case 'orchestrator.gateway.refund':
      return `→ gateway: give ${amount()} back`;
    case 'orchestrator.wallet.credit':
      return `→ wallet: put ${amount()} back`;
    case 'wallet.credit':
      return 'CREDITED';
    case 'refund.completed':
      return 'COMPLETED: the money is back';
    case 'orchestrator.payment.settle_refund':
      return "→ payment's object: count it as given back";
    case 'payment.refund_settled':
      return 'counted';
    default:
      return isEventType(type) ? CATALOGUE[type].description : '';
  }
}

/** A payment in one line, with what of it was given back. */
export function paymentLine({ id, status, amount, currency, refunded_amount: refunded }: PaymentView): string {
  return `  ${bold(id)}  ${status}  amount ${money(amount, currency)}  refunded_amount ${bold(money(refunded, currency))}  ${currency}`;
}

/** The wallet in one line, and its ledger as a table, oldest entry first. */
export function walletTable(wallet: WalletView, newestFirst: readonly EntryView[]): string {
  const shown = (amountMinor: number): string => money(amountMinor, wallet.currency);
  const rows = newestFirst.toReversed().map((entry) => {
    const accounts = (sign: number): string =>
      entry.postings.flatMap(({ account, amount }) => (Math.sign(amount) === sign ? [account] : [])).join(' + ');
    const moved = entry.postings.reduce((sum, { amount }) => sum + Math.max(amount, 0), 0);
    const { available, held, settled } = entry.balances;
    return [
      String(entry.sequence),
      entry.type,
      `${accounts(-1)} → ${accounts(1)}`,
      ...[moved, available, held, settled].map(shown),
    ];
  });
  const head = ['#', 'entry', 'from → to', 'amount', 'available', 'held', 'settled'];
  return [
    `  ${bold(wallet.id)}  available ${bold(shown(wallet.available))}  held ${bold(shown(wallet.held))}  ${wallet.currency}, version ${wallet.version}`,
    '',
    ...table(head, rows),
  ].join('\n');
}

/** Amounts and numbers to the right, words to the left. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const isWord = (column: number): boolean => column === 1 || column === 2;
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => (isWord(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`;
  return [dim(line(head)), ...rows.map(line)];
}
