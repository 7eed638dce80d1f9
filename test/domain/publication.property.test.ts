/**
 * A run that is sent again is the same run, whatever was known when it was sent: its first sequence identifies it, and
 * the record counts it once. HOLDFAST_SEED repeats a run.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { runsOf } from '../../src/domain/saga/publication.ts';
import { SagaDriver } from '../support/saga.ts';

const RUN = {
  seed: Number(process.env.HOLDFAST_SEED ?? 20261124),
  numRuns: Number(process.env.HOLDFAST_RUNS ?? 2_000),
};
const [TEMPLATE] = new SagaDriver().events;

interface Commit {
  readonly events: readonly Envelope[];
  readonly closes: boolean;
}

/** A log of commits, one to four events each, with a gapless sequence. */
const log = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 4 }), closes: fc.boolean() }), { maxLength: 30 })
  .map((commits) => {
    let sequence = 0;
    return commits.map(({ size, closes }): Commit => {
      const events = Array.from({ length: size }, () => {
        if (TEMPLATE === undefined) throw new Error('a saga begins with an event');
        sequence += 1;
        return { ...TEMPLATE, metadata: { ...TEMPLATE.metadata, sequence } };
      });
      return { events, closes };
    });
  });

const lastOf = (commit: Commit) => commit.events.at(-1)?.metadata.sequence ?? 0;
/** As the store answers: commits whose last event comes after `sequence`. */
const after = (commits: readonly Commit[], sequence: number) => commits.filter((commit) => lastOf(commit) > sequence);

test('runs are gapless from 1, in order, and hold each event once', () => {
  fc.assert(
    fc.property(log, (commits) => {
      let expected = 1;
      for (const { first, last, events } of runsOf(commits)) {
        expect(events.map((event) => event.metadata.sequence)).toEqual(
          Array.from({ length: last - first + 1 }, (_, index) => first + index),
        );
        expect(first).toBe(expected);
        expected = last + 1;
      }
      const closed = commits.findLastIndex((commit) => commit.closes);
      expect(expected - 1).toBe(commits.slice(0, closed + 1).flatMap((commit) => commit.events).length);
    }),
    RUN,
  );
});

test('what was sent early is a part of what is sent later: a longer log only adds runs', () => {
  fc.assert(
    fc.property(log, fc.nat(30), (commits, cut) => {
      const early = runsOf(commits.slice(0, cut));
      expect(runsOf(commits).slice(0, early.length)).toEqual(early);
    }),
    RUN,
  );
});

test('sent again from any run that was acknowledged, the rest are the same runs', () => {
  fc.assert(
    fc.property(log, (commits) => {
      const all = runsOf(commits);
      for (const [index, { last }] of all.entries()) {
        expect(runsOf(after(commits, last))).toEqual(all.slice(index + 1));
      }
    }),
    RUN,
  );
});

test('any history of sends, at any length of the log and from any acknowledged run, sends each run as one thing', () => {
  const history = fc.array(fc.record({ length: fc.nat(30), acknowledged: fc.nat(10) }), { maxLength: 10 });
  fc.assert(
    fc.property(log, history, (commits, sends) => {
      const seen = new Map<number, number>();
      for (const { length, acknowledged } of sends) {
        const known = commits.slice(0, length);
        const upTo = runsOf(known)[acknowledged]?.last ?? 0;
        for (const { first, last } of runsOf(after(known, upTo))) {
          expect(seen.get(first) ?? last).toBe(last);
          seen.set(first, last);
        }
      }
    }),
    RUN,
  );
});
