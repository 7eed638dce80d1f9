/**
 * Every named point at which something can end while a saga runs, by flow: the table that the crash tests are made from.
 * `flows.crash.test.ts` shows that an uninterrupted run passes each of these, and no other.
 */
const CALL = ['#before', '#after'];
/** `#uncommitted`: written, and not durable yet. `#committed`: durable, and the answer is lost. */
const COMMIT = ['#before', '#uncommitted', '#committed'];

function at(names: readonly string[], moments: readonly string[]): string[] {
  return names.flatMap((name) => moments.map((moment) => `${name} ${moment}`));
}

/** A message on its way: sent by the saga's object, taken by its consumer, which makes `calls` and acknowledges. */
function hop(message: string, calls: readonly string[]): string[] {
  return [...at([`object sends ${message}`], CALL), ...consumed(message, calls)];
}

function consumed(message: string, calls: readonly string[]): string[] {
  return at(
    [...calls, 'ack'].map((call) => `consumer of ${message} ${call}`),
    CALL,
  );
}

/** A command to the wallet, and its outcome on its way back. */
function walletHop(saga: string, command: string, action: string, fact = `wallet.${action}`): string[] {
  return [
    ...hop(`orchestrator.wallet.${action}`, ['execute', 'deliver']),
    ...at([`wallet ${command}`, `${saga} deliver ${fact}`], COMMIT),
  ];
}

/** A command to the gateway; what the saga hears of it is one point, whatever was asked. */
function gatewayHop(action: string): string[] {
  return hop(`orchestrator.gateway.${action}`, ['fetch', 'deliver']);
}

/** A run of events on its way to the record. */
function recordHop(saga: string, closing: string, first: number, calls: readonly string[] = []): string[] {
  return [
    ...hop(`record ${closing}`, ['D1 batch', ...calls, 'acknowledge']),
    ...at([`${saga} acknowledge events from ${first}`], COMMIT),
  ];
}

/** The last run, which brings what is to be told: the record's consumer sends it on to where somebody is told (decision 0066). */
function toldHop(saga: string, closing: string, first: number, outcome: string): string[] {
  const message = `orchestrator.notify.${outcome}`;
  return [
    ...recordHop(saga, closing, first, [`send ${message}`]),
    ...consumed(message, ['D1 batch', 'read', 'acknowledge']),
    ...at([`${saga} acknowledge ${message}`], COMMIT),
  ];
}

const GATEWAY_ANSWER = at(['payment deliver payment_gateway.response'], COMMIT);
/** Its first run is not sent alone: it goes with the next that closes (decision 0065). */
const BEGUN = at(['payment create'], COMMIT);
const HELD = walletHop('payment', 'hold', 'hold_funds');
/** Somebody is told of what has completed, and nobody of what has failed (`tellSomebody`). */
const COMPLETED = toldHop('payment', 'payment.completed', 1, 'payment_success');
const FAILED = recordHop('payment', 'payment.failed', 1);

export const POINTS = {
  balance: [
    ...BEGUN,
    ...HELD,
    ...gatewayHop('authorize'),
    ...GATEWAY_ANSWER,
    ...walletHop('payment', 'debit', 'debit'),
    ...COMPLETED,
  ],
  card: [...BEGUN, ...gatewayHop('authorize'), ...gatewayHop('capture'), ...GATEWAY_ANSWER, ...COMPLETED],
  decline: [
    ...BEGUN,
    ...HELD,
    ...gatewayHop('authorize'),
    ...GATEWAY_ANSWER,
    ...walletHop('payment', 'release', 'release_funds'),
    ...FAILED,
  ],
  compensation: [
    ...BEGUN,
    ...HELD,
    ...gatewayHop('authorize'),
    ...gatewayHop('unauthorize'),
    ...GATEWAY_ANSWER,
    ...walletHop('payment', 'debit', 'debit', 'wallet.debit_failed'),
    ...walletHop('payment', 'release', 'release_funds'),
    ...FAILED,
  ],
  lookup: [
    ...BEGUN,
    ...HELD,
    ...gatewayHop('authorize'),
    ...gatewayHop('lookup'),
    ...GATEWAY_ANSWER,
    // With the run that says that the outcome is unknown.
    ...recordHop('payment', 'payment.created', 1),
    ...walletHop('payment', 'debit', 'debit'),
    ...toldHop('payment', 'payment.completed', 8, 'payment_success'),
  ],
  refund: [
    ...at(['refund create'], COMMIT),
    ...at(['refund calls reserveRefund', 'refund calls settleRefund'], CALL),
    ...at(['payment reserveRefund', 'refund deliver payment.refund_reserved'], COMMIT),
    ...recordHop('refund', 'payment.refund_reserved', 1),
    ...gatewayHop('refund'),
    ...at(['refund deliver payment_gateway.response'], COMMIT),
    ...walletHop('refund', 'credit', 'credit'),
    ...toldHop('refund', 'refund.completed', 5, 'refund_success'),
    ...at(['payment settleRefund', 'refund deliver payment.refund_settled'], COMMIT),
    ...recordHop('payment', 'payment.refunded', 12),
    ...recordHop('refund', 'payment.refund_settled', 12),
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type FlowName = keyof typeof POINTS;
export const FLOW_NAMES = Object.keys(POINTS) as readonly FlowName[];

/** Points that only a run with a crash in it passes: those of the way back. */
export const RECOVERY = [
  ...at(['payment alarm', 'payment awaits'], COMMIT),
  ...at(['consumer of orchestrator.gateway.authorize awaits'], CALL),
];

/** Passed on some uninterrupted runs and not on others: an alarm that finds nothing due, a message that was only slow. */
export function isRecovery(point: string): boolean {
  return /^(payment|refund) (alarm|awaits) | awaits #/.test(point);
}
