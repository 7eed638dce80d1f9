/** The audit of one saga, as rules over its stored commits and what the record has: each check by itself, by what it says. */
import { describe, expect, test } from 'vitest';
import { auditSaga, type RecordedRun, type RecordedSaga } from '../../src/domain/audit/saga.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentRow } from '../../src/domain/messages.ts';
import type { PaymentData } from '../../src/domain/payment.ts';
import { PAYMENT_KIND, paymentRow } from '../../src/domain/payment-view.ts';
import { REFUND_KIND, refundRow } from '../../src/domain/refund-view.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import type { PaymentCommand, PaymentState } from '../../src/domain/saga/payment-types.ts';
import { runsOf } from '../../src/domain/saga/publication.ts';
import {
  afterAcknowledgement,
  afterStep,
  beginRecord,
  FIRST_PUBLICATION_DELAY_MS,
  type RecordChange,
  type SagaRecord,
  takeInputs,
} from '../../src/domain/saga/record.ts';
import { type StoredCommit, sealOf } from '../../src/domain/saga/seal.ts';
import type { StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { REFUND_ID, RefundDriver } from '../support/refund-saga.ts';
import { gatewayFact, PAYMENT_ID, SagaDriver, START_MS, walletFact } from '../support/saga.ts';

type Stored = SagaRecord<PaymentState, PaymentData, PaymentCommand>;
type Change = RecordChange<PaymentState, PaymentData, PaymentCommand>;

/** A commit before it is stored. */
interface Commit {
  readonly closes: boolean;
  readonly events: readonly Envelope[];
  readonly record: Stored;
}

const contexts = new SagaDriver();
const at = (ms: number): StepContext => ({ ...contexts.context(), nowMs: START_MS + ms });
const commitOf = ({ closes, step, record }: Change): Commit => ({ closes, events: step.events, record });

/** Its first commit closes a run, by time. */
function begun(): Commit[] {
  const { saga, events, sent } = new SagaDriver();
  const change = beginRecord(PAYMENT_KIND, 'fingerprint', { saga, events, send: sent }, at(0));
  const nothing = { saga, events: [], send: [] };
  const { closes, record } = afterStep(PAYMENT_KIND, change.record, nothing, at(FIRST_PUBLICATION_DELAY_MS));
  return [{ ...commitOf(change), closes, record }];
}

function newestOf<Element>(list: readonly Element[]): Element {
  const newest = list.at(-1);
  if (newest === undefined) throw new Error('there is none');
  return newest;
}

function taken(commits: readonly Commit[], input: StepInput, ms: number): Commit[] {
  const change = takeInputs(PAYMENT_KIND, newestOf(commits).record, [input], at(ms));
  if (change === null) throw new Error('nothing changed');
  return [...commits, commitOf(change)];
}

function heard(commits: readonly Commit[], name: PaymentCommand, fact: Fact, ms: number): Commit[] {
  const command = newestOf(commits).record.saga.pending.find((candidate) => candidate.name === name);
  const effect_id = (command && effectIdOf(command)) ?? 'none';
  return taken(commits, { kind: 'outcome', outcome: { effect_id, fact } }, ms);
}

const authorizing = (): Commit[] => heard(begun(), 'hold', walletFact('hold'), 1);

/** A payment that has gone through: four commits, of which the first and the last close a run. */
function completed(): Commit[] {
  const authorized = heard(authorizing(), 'authorize', gatewayFact('authorize', { gateway_status: 'AUTHORIZED' }), 2);
  return heard(authorized, 'debit', walletFact('debit'), 3);
}

/** One that waits for its next look-up: three commits, of which the first and the last close a run. */
const unknown = (): Commit[] =>
  heard(authorizing(), 'authorize', gatewayFact('authorize', { gateway_status: 'UNKNOWN' }), 2);

/** The same, with its look-up sent. */
const asked = (): Commit[] => taken(unknown(), { kind: 'timer' }, 60 * SECOND_MS);

/** The commits once the record is known to have every run of them. */
function acknowledged(commits: readonly Commit[]): Commit[] {
  const { closes, events, record } = newestOf(commits);
  const all = { effectIds: [], events: { first: 1, last: record.closedSequence } };
  return [...commits.slice(0, -1), { closes, events, record: afterAcknowledgement(record, all, START_MS) }];
}

type Row = Omit<StoredCommit, 'seal'>;

function sealed(rows: readonly Row[], first: string | null = null): StoredCommit[] {
  let previous = first;
  return rows.map((row) => {
    previous = sealOf(previous, row);
    return { ...row, seal: previous };
  });
}

function rowsOf(commits: readonly Commit[]): Row[] {
  return commits.map(({ closes, events, record }) => ({
    sequenceLast: record.saga.sequence,
    closes: closes ? 1 : 0,
    events: JSON.stringify(events),
    record: JSON.stringify(record),
  }));
}

function nth<Element>(list: readonly Element[], index: number): Element {
  const element = list[index];
  if (element === undefined) throw new Error(`there is no ${index}`);
  return element;
}

/** The stored commits with one changed by somebody who knows how to seal it. */
function resealed(commits: readonly Commit[], index: number, changes: Partial<Row>): StoredCommit[] {
  const rows = rowsOf(commits);
  return sealed(rows.with(index, { ...nth(rows, index), ...changes }));
}

const stored = (commits: readonly Commit[]): StoredCommit[] => sealed(rowsOf(commits));

/** What the record has when it has everything. */
function recordOf(commits: readonly Commit[]): { readonly row: PaymentRow; readonly runs: RecordedRun[] } {
  const runs = runsOf(commits).map(({ first, last, events }) => ({
    first,
    last,
    createdAtMs: Date.parse(newestOf(events).timestamp),
    events: JSON.stringify(events),
  }));
  return { row: paymentRow(newestOf(commits).record.saga), runs };
}

const NOTHING: RecordedSaga = { row: null, runs: [] };

function whats(commits: readonly StoredCommit[], recorded: RecordedSaga, entityId = PAYMENT_ID): string[] {
  const { findings } = auditSaga(PAYMENT_KIND, entityId, commits, recorded);
  for (const { where } of findings) expect(where).toBe(entityId);
  return findings.map(({ rule, what }) => `${rule} ${what}`);
}

const whole = completed();
const last = newestOf(whole).record.saga.sequence;
const [beganWith, , , endedWith] = rowsOf(whole).map(({ sequenceLast }) => sequenceLast);

describe('a sound saga', () => {
  test('is told by its commits and its events, with nothing found', () => {
    expect([beganWith, endedWith, whole.map(({ closes }) => closes)]).toEqual([2, last, [true, false, false, true]]);
    const events = whole.flatMap((commit) => commit.events).length;
    for (const commits of [whole, acknowledged(whole)]) {
      expect(auditSaga(PAYMENT_KIND, PAYMENT_ID, stored(commits), recordOf(commits))).toEqual({
        findings: [],
        commits: 4,
        events,
        unsealed: 0,
      });
    }
    expect(events).toBe(last);
  });

  test('may have no commit, and then nothing is due', () => {
    const audit = auditSaga(PAYMENT_KIND, PAYMENT_ID, [], NOTHING);
    expect(audit).toEqual({ findings: [], commits: 0, events: 0, unsealed: 0 });
    expect(whats([], { row: null, runs: recordOf(whole).runs.slice(0, 1) })).toEqual([
      'S9 the record has a run from 1 that the object has not closed',
      'S9 the record has no row of it',
    ]);
    expect(whats([], { ...recordOf(whole), runs: [] })).toEqual([
      `S9 the row is of sequence ${last}, which no commit ends with`,
    ]);
  });

  test('is of any kind', () => {
    const { saga, events, sent } = new RefundDriver();
    const first = { saga, events, send: sent };
    const { record } = beginRecord(REFUND_KIND, 'fingerprint', first, at(0));
    const [row] = sealed([
      { sequenceLast: saga.sequence, closes: 0, events: JSON.stringify(events), record: JSON.stringify(record) },
    ]);
    if (row === undefined) throw new Error('no row');
    const sound = { row: refundRow(record.saga), runs: [] };
    expect(auditSaga(REFUND_KIND, REFUND_ID, [row], sound).findings).toEqual([]);
    const edited = { ...sound, row: { ...sound.row, payment_id: 'pay_2' } };
    expect(auditSaga(REFUND_KIND, REFUND_ID, [row], edited).findings).toEqual([
      { where: REFUND_ID, rule: 'S9', what: 'payment_id in the row is not what the saga amounts to' },
    ]);
  });
});

describe('the seal', () => {
  const rows = stored(whole);
  const seals = (changed: readonly StoredCommit[]) =>
    whats(changed, recordOf(whole)).filter((what) => what.startsWith('seal'));
  const without = (index: number): StoredCommit[] => rows.with(index, { ...nth(rows, index), seal: null });
  const ends = rows.map(({ sequenceLast }) => sequenceLast);

  test.each<[string, Partial<StoredCommit>]>([
    ['sequenceLast', { sequenceLast: 99 }],
    ['closes', { closes: 1 }],
    ['events', { events: `${nth(rows, 1).events} ` }],
    ['record', { record: `${nth(rows, 1).record} ` }],
    ['seal', { seal: 'a'.repeat(64) }],
  ])('shows an edit of %s', (_, changes) => {
    const changed = rows.with(1, { ...nth(rows, 1), ...changes });
    const edited = `seal commit ${nth(changed, 1).sequenceLast} was edited`;
    // Another seal is what the next one does not stand on.
    expect(seals(changed)).toEqual(
      changes.seal === undefined ? [edited] : [edited, `seal commit ${ends[2]} was edited`],
    );
  });

  test('alone is broken by another spelling', () => {
    const { events } = nth(rows, 1);
    const spelled = rows.with(1, { ...nth(rows, 1), events: ` ${events}` });
    expect(whats(spelled, recordOf(whole))).toEqual([`seal commit ${ends[1]} was edited`]);
  });

  test('stands on the seal before', () => {
    expect(seals(sealed(rowsOf(whole), 'b'.repeat(64)))).toEqual([`seal commit ${ends[0]} was edited`]);
    expect(seals(rows.toSpliced(1, 1))).toEqual([`seal commit ${ends[2]} was edited`]);
    expect(seals(rows.slice(1))).toEqual([`seal commit ${ends[1]} was edited`]);
  });

  test('is there in every row of format 2, the first with the others', () => {
    expect(seals(without(0))).toEqual([
      `seal commit ${ends[0]} has lost its seal`,
      `seal commit ${ends[1]} was edited`,
    ]);
    expect(seals(without(2))).toEqual([
      `seal commit ${ends[2]} has lost its seal`,
      `seal commit ${ends[3]} was edited`,
    ]);
    expect(seals(without(3))).toEqual([`seal commit ${ends[3]} has lost its seal`]);
  });

  const old = (count: number): StoredCommit[] => {
    const before = whole.map(({ record, ...rest }, index) => ({
      ...rest,
      record: index < count ? { ...record, format: 1 as const } : record,
    }));
    const all = rowsOf(before);
    return [...all.slice(0, count).map((row) => ({ ...row, seal: null })), ...sealed(all.slice(count))];
  };

  test('is missing rightly in the rows from before there were seals, which are counted', () => {
    for (const count of [1, 2, 4]) {
      expect(auditSaga(PAYMENT_KIND, PAYMENT_ID, old(count), recordOf(whole))).toEqual({
        findings: [],
        commits: 4,
        events: last,
        unsealed: count,
      });
    }
  });

  test('is not missing rightly after one that is sealed, whatever format the row says', () => {
    const { record } = nth(whole, 3);
    const unsealed = { ...nth(rowsOf(whole), 3), record: JSON.stringify({ ...record, format: 1 }), seal: null };
    expect(seals([...rows.slice(0, 3), unsealed])).toEqual([`seal commit ${ends[3]} has lost its seal`]);
  });

  test('is lost where the record cannot be read, or is of a later format', () => {
    const first = nth(rows, 0);
    expect(whats([{ ...first, record: '{', seal: null }], NOTHING)).toEqual([
      'seal commit 2 has lost its seal',
      'S9 commit 2 cannot be read: SyntaxError',
    ]);
    const later = JSON.stringify({ ...nth(whole, 0).record, format: 3 });
    expect(whats([{ ...first, record: later, seal: null }], NOTHING)).toEqual(['seal commit 2 has lost its seal']);
  });
});

describe('a commit', () => {
  test.each<[string, Partial<Row>, string]>([
    ['whose events are no JSON', { events: '[' }, 'SyntaxError'],
    ['whose events are no list', { events: '{}' }, 'ZodError'],
    ['with no event', { events: '[]' }, 'ZodError'],
    ['with an event that is no envelope', { events: '[{}]' }, 'ZodError'],
    ['whose record is no JSON', { record: '{' }, 'SyntaxError'],
    ['whose record is nothing', { record: 'null' }, 'TypeError'],
    ['whose record has no saga', { record: '{}' }, 'TypeError'],
  ])('%s cannot be read, and nothing is compared with it', (_, changes, name) => {
    const commits = resealed(whole, 1, changes);
    const audit = auditSaga(PAYMENT_KIND, PAYMENT_ID, commits, NOTHING);
    const { sequenceLast } = nth(commits, 1);
    expect(audit.findings).toEqual([
      { where: PAYMENT_ID, rule: 'S9', what: `commit ${sequenceLast} cannot be read: ${name}` },
    ]);
    // What can be read is counted; the rows are, whatever is in them.
    expect(audit.commits).toBe(4);
    expect(audit.events).toBe(last - nth(whole, 1).events.length);
    const row = { ...recordOf(whole).row, sequence: 1, archive_id: 4 };
    expect(whats(commits, { row, runs: [{ first: 9, last: 9, createdAtMs: 0, events: '' }] })).toHaveLength(1);
  });

  const events = nth(whole, 1).events;
  const from = nth(events, 0).metadata.sequence;
  const to = newestOf(events).metadata.sequence;
  const moved = (index: number, metadata: Partial<Envelope['metadata']>): string =>
    JSON.stringify(
      events.map((event, at) => (at === index ? { ...event, metadata: { ...event.metadata, ...metadata } } : event)),
    );
  /** Without what is said of the record: nothing there is as these events are. */
  const own = (commits: readonly StoredCommit[]) => {
    const { row } = recordOf(whole);
    return whats(commits, { row, runs: [] }).filter((what) => !/record lacks|in the record/.test(what));
  };

  test('numbers its events on from the one before', () => {
    expect([from, to]).toEqual([3, 5]);
    expect(own(resealed(whole, 1, { events: moved(0, { sequence: 7 }) }))).toEqual(['S9 event 7 where 3 should be']);
    expect(own(resealed(whole, 1, { events: moved(2, { sequence: 4 }) }))).toEqual(['S9 event 4 where 5 should be']);
    const first = nth(whole, 0);
    const begun = first.events.map((event, index) => ({
      ...event,
      metadata: { ...event.metadata, sequence: index + 2 },
    }));
    expect(own(resealed(whole, 0, { events: JSON.stringify(begun) }))).toEqual([
      'S9 event 2 where 1 should be',
      'S9 event 3 where 2 should be',
    ]);
  });

  test('ends with its newest event', () => {
    const fewer = resealed(whole, 1, { events: JSON.stringify(events.slice(0, -1)) });
    expect(own(fewer)).toEqual(['S9 commit 5 ends elsewhere than its events']);
  });

  test('holds the saga as of its end', () => {
    const { record } = nth(whole, 1);
    const other = JSON.stringify({ ...record, saga: { ...record.saga, sequence: 4 } });
    expect(own(resealed(whole, 1, { record: other }))).toEqual(['S9 commit 5 holds the saga as of 4']);
  });

  test('that says another end is found by both', () => {
    const rows = rowsOf(whole).slice(0, 2);
    const changed = sealed(rows.with(1, { ...nth(rows, 1), sequenceLast: 6 }));
    expect(whats(changed, { row: paymentRow(nth(whole, 0).record.saga), runs: [] })).toEqual([
      'S9 commit 6 ends elsewhere than its events',
      'S9 commit 6 holds the saga as of 5',
    ]);
  });

  test('is gone: the next one does not follow', () => {
    const commits = sealed(rowsOf(whole).toSpliced(1, 1));
    const { sequenceLast } = nth(commits, 1);
    const numbers = nth(whole, 2).events.map(({ metadata }, index) => {
      return `S9 event ${metadata.sequence} where ${3 + index} should be`;
    });
    expect(own(commits)).toEqual([...numbers, `S9 commit ${sequenceLast} ends elsewhere than its events`]);
  });

  test('is of this saga, its record and its every event', () => {
    const ends = rowsOf(whole).map(({ sequenceLast }) => `S9 commit ${sequenceLast} is of another saga`);
    expect(whats(stored(whole), recordOf(whole), 'pay_other')).toEqual(ends);
    const group = { message_group_id: 'payment_pay_other' };
    for (const index of [0, 2]) {
      expect(own(resealed(whole, 1, { events: moved(index, group) }))).toEqual(['S9 commit 5 is of another saga']);
    }
    const { record } = nth(whole, 1);
    const data = { ...record.saga.data, paymentId: 'pay_other' };
    const other = JSON.stringify({ ...record, saga: { ...record.saga, data } });
    expect(own(resealed(whole, 1, { record: other }))).toEqual(['S9 commit 5 is of another saga']);
  });
});

describe('a run of the record', () => {
  const { row, runs } = recordOf(whole);
  const first = nth(runs, 0);
  const second = nth(runs, 1);
  const events = JSON.parse(second.events) as Envelope[];
  const rows = stored(whole);
  const withSecond = (changes: Partial<RecordedRun>) => whats(rows, { row, runs: [first, { ...second, ...changes }] });

  test('is one that the object has closed', () => {
    expect([first.first, first.last, second.first, second.last]).toEqual([1, 2, 3, last]);
    const more = { first: 4, last: 5, createdAtMs: 0, events: '' };
    expect(whats(rows, { row, runs: [first, second, more] })).toEqual([
      'S9 the record has a run from 4 that the object has not closed',
    ]);
    // Its newest commits have closed none yet.
    const open = whole.slice(0, 3);
    expect(whats(stored(open), { ...recordOf(open), runs: [first, { ...second, last: 5 }] })).toEqual([
      'S9 the record has a run from 3 that the object has not closed',
    ]);
  });

  test('ends where the object closed it', () => {
    expect(withSecond({ last: last - 1 })).toEqual([
      `S9 the run from 3 ends at ${last - 1} in the record, not ${last}`,
    ]);
  });

  test('has the time of its newest event', () => {
    expect(second.createdAtMs).toBe(START_MS + 3);
    for (const createdAtMs of [second.createdAtMs + 1, Date.parse(nth(events, 0).timestamp)]) {
      expect(withSecond({ createdAtMs })).toEqual(['S9 the run from 3 has another time in the record']);
    }
  });

  test('has each event of it, in any spelling', () => {
    const spelled = events.map((event) => Object.fromEntries(Object.entries(event).reverse()));
    expect(withSecond({ events: JSON.stringify(spelled, null, 1) })).toEqual([]);
    const edited = events.with(1, { ...nth(events, 1), event_version: '9' });
    expect(withSecond({ events: JSON.stringify(edited) })).toEqual(['S9 event 4 differs in the record']);
    const swapped = [nth(events, 1), nth(events, 0), ...events.slice(2)];
    expect(withSecond({ events: JSON.stringify(swapped) })).toEqual([
      'S9 event 3 differs in the record',
      'S9 event 4 differs in the record',
    ]);
  });

  test('has no event more, and none fewer', () => {
    const LENGTH = 'S9 the run from 3 has another length in the record';
    expect(withSecond({ events: JSON.stringify([...events, newestOf(events)]) })).toEqual([LENGTH]);
    expect(withSecond({ events: JSON.stringify(events.slice(0, -1)) })).toEqual([
      LENGTH,
      `S9 event ${last} differs in the record`,
    ]);
  });

  test('cannot be read where it is no JSON, and the others are all the same', () => {
    expect(withSecond({ events: '[' })).toEqual(['S9 run 3 cannot be read: SyntaxError']);
    expect(withSecond({ events: 'null' })).toEqual(['S9 run 3 cannot be read: TypeError']);
    const both = [
      { ...first, events: '[' },
      { ...second, createdAtMs: 0 },
    ];
    expect(whats(rows, { row, runs: both })).toEqual([
      'S9 run 1 cannot be read: SyntaxError',
      'S9 the run from 3 has another time in the record',
    ]);
  });

  test('may be on its way until the object knows of it', () => {
    const began = paymentRow(nth(whole, 0).record.saga);
    expect(whats(rows, { row: began, runs: [first] })).toEqual([]);
    expect(whats(rows, NOTHING)).toEqual([]);
    const known = stored(acknowledged(whole));
    expect(whats(known, { row, runs: [second] })).toEqual(['S9 the record lacks the run 1 to 2']);
    expect(whats(known, { row, runs: [first] })).toEqual([`S9 the record lacks the run 3 to ${last}`]);
    expect(whats(known, { row, runs: [] })).toEqual([
      'S9 the record lacks the run 1 to 2',
      `S9 the record lacks the run 3 to ${last}`,
    ]);
  });

  test('is due up to where the object knows the record to be, while more is on its way', () => {
    const { record } = newestOf(whole);
    const upTo = (recordedSequence: number) =>
      stored([...whole.slice(0, -1), { ...newestOf(whole), record: { ...record, recordedSequence } }]);
    expect(record.publishDueAtMs).not.toBeNull();
    expect(whats(upTo(1), { row, runs: [] })).toEqual([]);
    expect(whats(upTo(2), { row, runs: [] })).toEqual(['S9 the record lacks the run 1 to 2']);
    expect(whats(upTo(last - 1), { row, runs: [first] })).toEqual([]);
    expect(whats(upTo(last), { row, runs: [first] })).toEqual([`S9 the record lacks the run 3 to ${last}`]);
  });

  test('is due whatever its sequence where nothing is to be sent again', () => {
    const { record } = newestOf(whole);
    const done = { ...newestOf(whole), record: { ...record, recordedSequence: 0, publishDueAtMs: null } };
    expect(whats(stored([...whole.slice(0, -1), done]), { row, runs: [first] })).toEqual([
      `S9 the record lacks the run 3 to ${last}`,
    ]);
  });
});

describe('the row of the record', () => {
  const { row, runs } = recordOf(whole);
  const rows = stored(whole);
  const known = stored(acknowledged(whole));

  test('is there once a run is, or once all is known to be recorded', () => {
    expect(whats(rows, { row: null, runs: runs.slice(0, 1) })).toEqual(['S9 the record has no row of it']);
    expect(whats(known, { row: null, runs })).toEqual(['S9 the record has no row of it']);
    expect(whats(known, NOTHING)).toEqual([
      'S9 the record lacks the run 1 to 2',
      `S9 the record lacks the run 3 to ${last}`,
      'S9 the record has no row of it',
    ]);
    expect(whats(rows, NOTHING)).toEqual([]);
  });

  test('names no archive while the object has the saga', () => {
    expect(whats(rows, { row: { ...row, archive_id: null }, runs })).toEqual([]);
    for (const archive_id of [0, 4]) {
      expect(whats(rows, { row: { ...row, archive_id }, runs })).toEqual([
        'archive the row names an archive, and its object is not empty',
      ]);
    }
  });

  test('is of a sequence that a commit ends with', () => {
    expect(whats(rows, { row: { ...row, sequence: 1, status: 'FAILED' }, runs })).toEqual([
      'S9 the row is of sequence 1, which no commit ends with',
    ]);
  });

  test('is not older than the newest run', () => {
    const began = paymentRow(nth(whole, 0).record.saga);
    const OLDER = `S9 the row is of sequence 2, and the record has run ${last}`;
    expect(whats(rows, { row: began, runs })).toEqual([OLDER]);
    expect(whats(rows, { row: began, runs: runs.toReversed() })).toEqual([OLDER]);
    expect(whats(rows, { row: began, runs: runs.slice(0, 1) })).toEqual([]);
    expect(whats(rows, { row, runs: runs.slice(0, 1) })).toEqual([]);
    expect(whats(rows, { row, runs: [] })).toEqual([]);
  });

  test('is what the saga amounts to, column by column', () => {
    for (const name of Object.keys(row).filter((column) => !['sequence', 'body'].includes(column))) {
      const says = [`S9 ${name} in the row is not what the saga amounts to`];
      expect(whats(rows, { row: { ...row, [name]: 'another' }, runs })).toEqual(says);
      expect(whats(rows, { row: { ...row, [name]: undefined }, runs })).toEqual(says);
      const fewer = Object.fromEntries(Object.entries(row).filter(([column]) => column !== name));
      expect(whats(rows, { row: fewer as PaymentRow, runs })).toEqual(says);
    }
    const two = { ...row, merchant: 'other', status: 'FAILED' } as const;
    expect(whats(rows, { row: two, runs })).toEqual([
      'S9 merchant in the row is not what the saga amounts to',
      'S9 status in the row is not what the saga amounts to',
    ]);
  });

  test('may have columns that the record adds for itself', () => {
    const more = { ...row, swept_at_ms: 5, saga_state: 'x' };
    expect(whats(rows, { row: more, runs })).toEqual([]);
  });

  const BODY = 'S9 body in the row is not what the saga amounts to';
  const rewritten = (body: string, changes: Record<string, unknown>): string =>
    JSON.stringify({ ...(JSON.parse(body) as Record<string, unknown>), ...changes });

  test('has the public JSON in any spelling', () => {
    const view = JSON.parse(row.body) as Record<string, unknown>;
    const spelled = JSON.stringify(Object.fromEntries(Object.entries(view).reverse()), null, 2);
    expect(whats(rows, { row: { ...row, body: spelled }, runs })).toEqual([]);
    expect(whats(rows, { row: { ...row, body: rewritten(row.body, { amount: 1 }) }, runs })).toEqual([BODY]);
    expect(whats(rows, { row: { ...row, body: rewritten(row.body, { more: 1 }) }, runs })).toEqual([BODY]);
    expect(whats(rows, { row: { ...row, body: '{' }, runs })).toEqual(['S9 the row cannot be read: SyntaxError']);
  });

  test('has the time of the next look-up while that is only scheduled', () => {
    const commits = unknown();
    const recorded = recordOf(commits);
    const bodies = stored(commits);
    expect(newestOf(commits).record.saga.pending).toMatchObject([{ name: 'lookup', event: null }]);
    expect(whats(bodies, recorded)).toEqual([]);
    const moved = rewritten(recorded.row.body, { next_check_at: '2026-01-02T00:00:00.000Z' });
    expect(whats(bodies, { ...recorded, row: { ...recorded.row, body: moved } })).toEqual([BODY]);
    const dropped = rewritten(recorded.row.body, { next_check_at: undefined });
    expect(whats(bodies, { ...recorded, row: { ...recorded.row, body: dropped } })).toEqual([BODY]);
  });

  test('may have another time of the next look-up while one is out, and nothing else', () => {
    const commits = asked();
    const recorded = recordOf(commits);
    const bodies = stored(commits);
    expect(newestOf(commits).record.saga.pending).toMatchObject([{ name: 'lookup', attempts: 1 }]);
    expect(whats(bodies, recorded)).toEqual([]);
    const moved = rewritten(recorded.row.body, { next_check_at: '2026-01-02T00:00:00.000Z' });
    expect(whats(bodies, { ...recorded, row: { ...recorded.row, body: moved } })).toEqual([]);
    const edited = rewritten(moved, { amount: 1 });
    expect(whats(bodies, { ...recorded, row: { ...recorded.row, body: edited } })).toEqual([BODY]);
  });

  test('may have it while another command is out besides, and not while none is', () => {
    const commits = asked();
    const { saga, ...rest } = newestOf(commits).record;
    const [lookup] = saga.pending;
    if (lookup === undefined) throw new Error('nothing is pending');
    const moved = (pending: Stored['saga']['pending']) => {
      const changed = [
        ...commits.slice(0, -1),
        { ...newestOf(commits), record: { ...rest, saga: { ...saga, pending } } },
      ];
      const recorded = recordOf(changed);
      const body = rewritten(recorded.row.body, { next_check_at: '2026-01-02T00:00:00.000Z' });
      return whats(stored(changed), { ...recorded, row: { ...recorded.row, body } });
    };
    expect(moved([{ ...lookup, name: 'undo_late' }, lookup])).toEqual([]);
    expect(moved([lookup, { ...lookup, name: 'undo_late', event: null }])).toEqual([]);
    expect(
      moved([
        { ...lookup, name: 'undo_late' },
        { ...lookup, event: null },
      ]),
    ).toEqual([BODY]);
    expect(moved([])).toEqual([BODY]);
  });

  test('has no time of a look-up where another command is out', () => {
    const commits = authorizing();
    const recorded = recordOf(commits);
    expect(newestOf(commits).record.saga.pending).toMatchObject([{ name: 'authorize', attempts: 1 }]);
    const moved = rewritten(recorded.row.body, { next_check_at: '2026-01-02T00:00:00.000Z' });
    expect(whats(stored(commits), { ...recorded, row: { ...recorded.row, body: moved } })).toEqual([BODY]);
  });
});
