/**
 * Pure: what is left of a saga after its retention, and when that may be: enough to refuse its key, to say whose it was, and
 * to prove that what the record (D1) or the archive still has of it is what its object held (decision 0075). Made by the
 * saga's host, checked by the auditor and by the archiver.
 */
import { canonicalJson, sha256Hex } from '../canonical.ts';
import { InvariantError } from '../errors.ts';
import type { Envelope } from '../events/envelope.ts';
import type { Scope } from '../ids.ts';
import type { PaymentRow, RefundRow } from '../messages.ts';
import { expiresAtMs, isAtRest, type SagaData, type SagaKind, type SagaRecord } from './record.ts';

/** What a tombstone proves; kept as one JSON text. */
export interface Remains {
  readonly merchant: string;
  readonly mode: Scope['mode'];
  readonly status: string;
  readonly createdAtMs: number;
  /** Of its last event. */
  readonly sequence: number;
  /** Of its newest commit (`seal.ts`); null for one from before there were seals. */
  readonly seal: string | null;
  /** `logHashOf` all its events. */
  readonly logHash: string;
  /** `rowHashOf` its row of the record. */
  readonly rowHash: string;
}

export interface Tombstone {
  readonly entityId: string;
  readonly expiredAtMs: number;
  /** Null in tombstones of older versions: of those nothing can be proved any more. */
  readonly remains: Remains | null;
}

export type RetentionVerdict =
  /** There is something left to do, or its time has not come. */
  | 'not_yet'
  /** Its time has come, and somebody else still needs it. */
  | 'held_back'
  | 'due';

/**
 * Whether the object may be emptied. Checks, in order: terminal, no command without its outcome, every event recorded → its
 * retention has passed → it waits for no person, as one may that has ended (money in force that came to light late), and
 * nothing that stands on it is under way (`isNeeded`). A hold is over seven days after it was made, whatever became of it, and so long before this.
 */
export function retentionVerdict<State extends string, Data extends SagaData, Name extends string>(
  kind: Pick<SagaKind<State, Data, Name, unknown>, 'table' | 'isNeeded'>,
  record: SagaRecord<State, Data, Name>,
  nowMs: number,
): RetentionVerdict {
  if (!isAtRest(record) || nowMs < expiresAtMs(record)) return 'not_yet';
  const waitsForPerson = kind.table.attention.reasonOf(record.saga) !== null;
  return waitsForPerson || kind.isNeeded?.(record.saga) === true ? 'held_back' : 'due';
}

/** The row of the record that a saga amounts to: a payment's or a refund's. */
export interface OwnRow {
  readonly payment?: PaymentRow | undefined;
  readonly refund?: RefundRow | undefined;
}

/** What stays of a saga at rest. `events`: all of its log; `seal`: of its newest commit. */
export function tombstoneOf<State extends string, Data extends SagaData, Name extends string>(
  kind: SagaKind<State, Data, Name, OwnRow>,
  { saga }: SagaRecord<State, Data, Name>,
  events: readonly Envelope[],
  seal: string | null,
  nowMs: number,
): Tombstone {
  const { id, status } = kind.view(saga);
  const { payment, refund } = kind.row(saga);
  const own = payment ?? refund;
  if (own === undefined) throw new InvariantError('saga_has_a_row', { entity_id: id });
  const { scope, createdAtMs } = saga.data;
  return {
    entityId: id,
    expiredAtMs: nowMs,
    remains: {
      merchant: scope.merchant,
      mode: scope.mode,
      status,
      createdAtMs,
      sequence: saga.sequence,
      seal,
      logHash: logHashOf(events),
      rowHash: rowHashOf(own),
    },
  };
}

/** Whether it was this scope's; one of an older version does not say, and so is nobody's. */
export function isOwnedBy({ remains }: Tombstone, { merchant, mode }: Scope): boolean {
  return remains !== null && remains.merchant === merchant && remains.mode === mode;
}

/** SHA-256 over the events of a whole log in order, each in its canonical JSON, so that another spelling is no difference. */
export function logHashOf(events: readonly unknown[]): string {
  return sha256Hex(events.map((event) => canonicalJson(event)).join('\n'));
}

/** The columns that a saga's owner decides; what the record adds for itself (when it was swept, say) is left out. */
const OWNED_COLUMNS = [
  'id',
  'merchant',
  'mode',
  'wallet_id',
  'service_id',
  'payment_id',
  'method',
  'status',
  'reference',
  'created_at_ms',
  'updated_at_ms',
  'sequence',
  'attention',
] as const;

/** SHA-256 over a row of `payments` or `refunds`, as its owner makes it or as it is stored. @throws if its body is no JSON. */
export function rowHashOf(row: object): string {
  const columns: Readonly<Record<string, unknown>> = { ...row };
  const { next_check_at: _, ...view } = JSON.parse(String(columns.body ?? '{}')) as Record<string, unknown>;
  const owned = OWNED_COLUMNS.map((name) => [name, columns[name] ?? null] as const);
  return sha256Hex(canonicalJson({ ...Object.fromEntries(owned), body: view }));
}
