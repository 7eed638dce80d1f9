/**
 * What is known of a saga, whatever its kind: its record, read once in a life of the object, and every answer that changes nothing. The
 * host (saga-host.ts) is the one that changes it. Never writes.
 */
import { EXPIRY } from '../../src/domain/cost/work.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { Scope } from '../../src/domain/ids.ts';
import { STORED_COMMITS_MAX } from '../../src/domain/limits.ts';
import type { Publication } from '../../src/domain/messages.ts';
import { type Run, runsOf } from '../../src/domain/saga/publication.ts';
import { expiresAtMs, type SagaData, type SagaRecord } from '../../src/domain/saga/record.ts';
import { isOwnedBy } from '../../src/domain/saga/tombstone.ts';
import type {
  DescribeKeyResult,
  PublicationPage,
  ReadCostResult,
  ReadEventsResult,
  ReadRowResult,
  ReadSagaResult,
  StoredCommits,
} from '../../src/domain/saga-rpc.ts';
import { SagaCost } from './cost.ts';
import type { HostOptions } from './options.ts';
import { SagaStore } from './store.ts';

export class SagaReader<State extends string, Data extends SagaData, Name extends string> {
  readonly cost: SagaCost;
  protected readonly options: HostOptions<State, Data, Name>;
  protected readonly store: SagaStore<SagaRecord<State, Data, Name>>;
  /** As stored; `undefined`: not read yet in this life of the object. */
  protected record: SagaRecord<State, Data, Name> | 'expired' | null | undefined;

  constructor(storage: DurableObjectStorage, options: HostOptions<State, Data, Name>) {
    this.options = options;
    this.cost = new SagaCost(storage);
    this.store = new SagaStore(this.cost.storage);
  }

  get kind(): HostOptions<State, Data, Name>['kind'] {
    return this.options.kind;
  }

  /** The record; `expired` where a tombstone is left; null for an object that holds nothing. */
  load(): SagaRecord<State, Data, Name> | 'expired' | null {
    if (this.record === undefined) this.record = this.store.load();
    return this.record;
  }

  /** @throws InvariantError where there is none. */
  requireRecord(): SagaRecord<State, Data, Name> {
    const record = this.load();
    if (record === null || record === 'expired') throw new InvariantError('saga_record_present');
    return record;
  }

  /** The record, for its own merchant and mode only. */
  owned(scope: Scope): SagaRecord<State, Data, Name> | null {
    const record = this.load();
    if (record === null || record === 'expired') return null;
    const owner = record.saga.data.scope;
    return owner.merchant === scope.merchant && owner.mode === scope.mode ? record : null;
  }

  /** As it stands, or as it stood after the commit of that event; a sequence that its log does not have: as it stands. */
  read(scope: Scope, asOfSequence?: number): ReadSagaResult {
    const present = this.owned(scope);
    if (present === null) return { kind: this.isExpiredFor(scope) ? 'expired' : 'not_found' };
    const past = asOfSequence === undefined ? null : this.store.recordAsOf(asOfSequence);
    const record = past ?? present;
    const body = JSON.stringify(this.options.kind.view(record.saga));
    return { kind: 'found', body, terminal: record.terminalBody !== null };
  }

  /** The entity and what it has cost; to come, once it has ended: what it costs to forget it. */
  readCost(scope: Scope): ReadCostResult {
    const entity = this.read(scope);
    if (entity.kind !== 'found') return entity;
    const spent = this.cost.total(this.requireRecord());
    return { kind: 'found', body: entity.body, spent, toCome: entity.terminal ? EXPIRY : {} };
  }

  /** A terminal entity answers with the bytes kept at that moment; a running one as it is. */
  body(): { readonly body: string; readonly terminal: boolean } {
    const record = this.requireRecord();
    const body = record.terminalBody ?? JSON.stringify(this.options.kind.view(record.saga));
    return { body, terminal: record.terminalBody !== null };
  }

  /** At most `limit` events of the log, after `afterSequence`, in order. */
  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult {
    const record = this.owned(scope);
    if (record === null) return { kind: this.isExpiredFor(scope) ? 'expired' : 'not_found' };
    const events = this.eventsAfter(afterSequence);
    const terminal = record.terminalBody !== null;
    return { kind: 'found', events: events.slice(0, limit), more: events.length > limit, terminal };
  }

  /** At most STORED_COMMITS_MAX commits after `afterSequence`, as they are stored, whatever is in memory. */
  storedCommits(afterSequence: number): StoredCommits {
    const commits = this.store.storedCommits(afterSequence, STORED_COMMITS_MAX);
    return { commits, tombstone: commits.length === 0 ? this.store.tombstone() : null };
  }

  /** The row of the record and the closed runs after `afterSequence`, of at most STORED_COMMITS_MAX commits; null: none. */
  publication(afterSequence: number): PublicationPage | null {
    const record = this.load();
    if (record === null || record === 'expired') return null;
    const commits = this.store.commitsAfter(afterSequence, STORED_COMMITS_MAX);
    const runs = runsOf(commits);
    const last = runs.at(-1)?.last ?? null;
    const publication = this.publicationOf(record, runs);
    return { publication, afterSequence: commits.length === STORED_COMMITS_MAX ? last : null };
  }

  /** What became of the key that the object is named by. */
  describeKey(): DescribeKeyResult {
    const record = this.load();
    if (record === null) return { kind: 'unused' };
    if (record === 'expired') return { kind: 'expired' };
    const { id, status } = this.options.kind.view(record.saga);
    return {
      kind: 'used',
      entityId: id,
      status,
      createdAtMs: record.saga.data.createdAtMs,
      expiresAtMs: record.terminalBody === null ? null : expiresAtMs(record),
    };
  }

  /** The row of the record that the saga amounts to now. */
  readRow(): ReadRowResult {
    const record = this.load();
    if (record === null || record === 'expired') return { kind: 'not_found' };
    return { kind: 'found', ...this.options.kind.row(record.saga) };
  }

  /** How long the oldest event of a closed run has waited to be known of by the record (D1); null: none waits. */
  outboxAgeMs(seenSequence: number, nowMs: number): number | null {
    const { recordedSequence, closedSequence } = this.requireRecord();
    const knownSequence = Math.max(recordedSequence, seenSequence);
    if (knownSequence >= closedSequence) return null;
    const oldest = this.store.commitsAfter(knownSequence, 1)[0]?.events[0];
    return oldest === undefined ? null : nowMs - Date.parse(oldest.timestamp);
  }

  /** Whether this scope's entity was here, and a tombstone is left of it. */
  protected isExpiredFor(scope: Scope): boolean {
    const tombstone = this.load() === 'expired' ? this.store.tombstone() : null;
    return tombstone !== null && isOwnedBy(tombstone, scope);
  }

  protected publicationOf(record: SagaRecord<State, Data, Name>, runs: readonly Run[]): Publication {
    return {
      kind: 'publication',
      group_id: this.groupId(record.saga.data),
      ...this.options.kind.row(record.saga),
      runs: runs.map(({ first, last, events, cost }) => ({
        first,
        last,
        events: [...events],
        ...(cost !== undefined && { cost }),
      })),
    };
  }

  protected eventsAfter(sequence: number): Envelope[] {
    return this.store
      .commitsAfter(sequence)
      .flatMap((commit) => commit.events)
      .filter((event) => event.metadata.sequence > sequence);
  }

  protected groupId(data: Data): string {
    return this.options.kind.table.group(data).groupId;
  }
}
