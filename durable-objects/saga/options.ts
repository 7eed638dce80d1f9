/** What a saga's host is made of, and what it takes and answers when a key is claimed: types only. Used by the shells. */
import type { Scope } from '../../src/domain/ids.ts';
import type { Publication } from '../../src/domain/messages.ts';
import type { SagaData, SagaKind } from '../../src/domain/saga/record.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import type { Trace } from '../../src/domain/saga-rpc.ts';

/** The part of a publication that says what the entity amounts to now. */
export type RowPart = Pick<Publication, 'payment' | 'refund'>;

export interface HostOptions<State extends string, Data extends SagaData, Name extends string> {
  readonly kind: SagaKind<State, Data, Name, RowPart>;
  /** Secrets that the gateway's messages carry and no stored event does. */
  readonly token?: (data: Data) => string | undefined;
  /** Carries out commands that are direct calls to another object instead of messages; absent: there are none. */
  readonly call?: (command: PendingCommand<Name>) => Promise<void>;
}

/** What a request brings that claims a key. */
export interface Claim {
  readonly fingerprint: string;
  readonly request: object;
  readonly trace: Trace;
  readonly scope: Scope;
}

export type ClaimResult =
  | { readonly kind: 'created' | 'replayed' }
  | { readonly kind: 'key_expired' }
  | { readonly kind: 'key_reused'; readonly fields: readonly string[] };
