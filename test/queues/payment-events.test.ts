/** The record against the real D1: each event counted once, whatever is sent twice, late, together or in pieces. */
import { env } from 'cloudflare:workers';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { consumePaymentEvents } from '../../queues/payment-events.ts';
import { countEvents } from '../../src/domain/audit/counters.ts';
import type { EventType } from '../../src/domain/events/catalogue.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { PaymentRow, Publication } from '../../src/domain/messages.ts';
import { eventRowsAfter, readCounters } from '../../src/read-model/audit.ts';
import { recordPublications } from '../../src/read-model/record-publications.ts';
import { tellNobody, tellSomebody } from '../support/webhooks.ts';
import { brokenDatabase, bug, deliver, freshPaymentId, message, Recorder, transient } from './messages.ts';

const SEED = 20261124;
const SUCCESS = 'metrics.payment.success';
const UNKNOWN = 'metrics.gateway.unknown';

/** The log of a payment as runs: each a list of event types, numbered on from the run before. */
function runsOf(paymentId: string, ...runs: EventType[][]): Publication['runs'] {
  let sequence = 0;
  return runs.map((types) => {
    const events = types.map((type): Envelope => {
      sequence += 1;
      const event = message(type, paymentId);
      return { ...event, metadata: { ...event.metadata, sequence } };
    });
    return { first: sequence - types.length + 1, last: sequence, events };
  });
}

function publication(paymentId: string, runs: Publication['runs'], row: Partial<PaymentRow> = {}): Publication {
  const sequence = runs.at(-1)?.last ?? 1;
  return {
    kind: 'publication',
    group_id: `payment_${paymentId}`,
    payment: {
      id: paymentId,
      merchant: 'default',
      mode: 'sandbox',
      wallet_id: 'wal-1',
      service_id: 'svc-1',
      method: 'balance',
      status: 'PENDING',
      reference: null,
      created_at_ms: 1_000,
      updated_at_ms: 1_000 + sequence,
      sequence,
      body: JSON.stringify({ id: paymentId, sequence }),
      ...row,
    },
    runs,
  };
}

const record = (...publications: Publication[]) => recordPublications(env.DB, publications);

async function row(paymentId: string): Promise<Record<string, unknown> | null> {
  return env.DB.prepare('SELECT * FROM payments WHERE id = ?').bind(paymentId).first();
}

async function runs(paymentId: string) {
  const { results } = await env.DB.prepare(
    'SELECT sequence_first, sequence_last, events FROM events WHERE group_id = ? ORDER BY sequence_first',
  )
    .bind(`payment_${paymentId}`)
    .all<{ sequence_first: number; sequence_last: number; events: string }>();
  return results.map(({ sequence_first: first, sequence_last: last, events }) => ({
    first,
    last,
    events: JSON.parse(events) as unknown,
  }));
}

async function counters(): Promise<Record<string, number>> {
  const { results } = await env.DB.prepare("SELECT series, value FROM metric_counters WHERE series <> 'runs'").all<{
    series: string;
    value: number;
  }>();
  return Object.fromEntries(results.map(({ series, value }) => [series, value]));
}

/** How much each counter moved while `act` ran. */
async function moved(act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await counters();
  await act();
  const changes = Object.entries(await counters()).map(([series, value]) => [series, value - (before[series] ?? 0)]);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

describe('a publication', () => {
  test('writes the row, the runs as they were sent, and moves the counters of its metrics', async () => {
    const id = freshPaymentId();
    const sent = runsOf(id, ['payment.created', UNKNOWN], ['payment.completed', SUCCESS]);
    const asked = { reference: 'order-7', attention: 'capture_unknown' };
    expect(await moved(() => record(publication(id, sent, asked)))).toEqual({
      [SUCCESS]: 1,
      [UNKNOWN]: 1,
    });
    expect(await runs(id)).toEqual(sent);
    expect(await row(id)).toEqual({
      archive_id: null,
      id,
      merchant: 'default',
      mode: 'sandbox',
      wallet_id: 'wal-1',
      service_id: 'svc-1',
      method: 'balance',
      status: 'PENDING',
      reference: 'order-7',
      created_at_ms: 1_000,
      updated_at_ms: 1_004,
      sequence: 4,
      body: JSON.stringify({ id, sequence: 4 }),
      attention: 'capture_unknown',
      // Read from the body, which has neither here; and never swept.
      saga_state: null,
      next_check_at: null,
      swept_at_ms: 0,
    });
  });

  test('without a metric moves no counter', async () => {
    const id = freshPaymentId();
    expect(await moved(() => record(publication(id, runsOf(id, ['payment.created']))))).toEqual({});
  });

  test('with one metric several times in a run counts each of them', async () => {
    const id = freshPaymentId();
    expect(await moved(() => record(publication(id, runsOf(id, [UNKNOWN, UNKNOWN], [UNKNOWN]))))).toEqual({
      [UNKNOWN]: 3,
    });
  });

  test('says of a run when its last event happened', async () => {
    const id = freshPaymentId();
    const [run] = runsOf(id, ['payment.created', 'orchestrator.wallet.hold_funds']);
    if (run === undefined) throw new Error('no run');
    await record(publication(id, [run]));
    const stored = await env.DB.prepare('SELECT created_at_ms FROM events WHERE group_id = ?')
      .bind(`payment_${id}`)
      .first('created_at_ms');
    expect(stored).toBe(Date.parse(run.events.at(-1)?.timestamp ?? ''));
  });

  test('keeps every character of what it carries', async () => {
    const id = freshPaymentId();
    const text = `'";--\\ \u0000 \u2028 é 😀 $.x [0] null`;
    const body = JSON.stringify({ text });
    await record(publication(id, runsOf(id, ['payment.created']), { reference: 'o\'r "7" 😀', body }));
    expect(await row(id)).toMatchObject({ reference: 'o\'r "7" 😀', body });
  });

  test('with numbers that look like text, and text that looks like numbers, keeps their types', async () => {
    const id = freshPaymentId();
    await record(publication(id, runsOf(id, ['payment.created']), { reference: '007', wallet_id: '1e3' }));
    expect(await row(id)).toMatchObject({ reference: '007', wallet_id: '1e3', sequence: 1 });
  });
});

describe('what comes again changes nothing', () => {
  const log = (id: string) => runsOf(id, ['payment.created', UNKNOWN], [UNKNOWN], ['payment.completed', SUCCESS]);
  const once = { [SUCCESS]: 1, [UNKNOWN]: 2 };

  test.each<[string, (all: Publication['runs']) => Publication['runs'][][]]>([
    ['the same batch, later', (all) => [[all], [all], [all]]],
    ['twice within one batch', (all) => [[all, all]]],
    ['run by run, then all at once', ([a, b, c]) => [[pick(a)], [pick(b)], [pick(c)], [pick(a, b, c)]]],
    ['all at once, then run by run', ([a, b, c]) => [[pick(a, b, c)], [pick(c)], [pick(a)], [pick(b)]]],
    ['overlapping, in two batches', ([a, b, c]) => [[pick(a, b)], [pick(b, c)]]],
    ['overlapping, within one batch', ([a, b, c]) => [[pick(a, b), pick(b, c), pick(a)]]],
    ['the last run first', ([a, b, c]) => [[pick(c)], [pick(b, c)], [pick(a, b, c)]]],
  ])('%s', async (_what, sends) => {
    const id = freshPaymentId();
    const all = log(id);
    const change = await moved(async () => {
      for (const batch of sends(all)) await record(...batch.map((sent) => publication(id, sent)));
    });
    expect(change).toEqual(once);
    expect(await runs(id)).toEqual(all);
    expect(await row(id)).toMatchObject({ sequence: 5 });
  });

  test('and payments that share a batch are told apart', async () => {
    const [one, other] = [freshPaymentId(), freshPaymentId()];
    const batch = [publication(one, log(one)), publication(other, log(other)), publication(one, log(one))];
    expect(await moved(() => record(...batch))).toEqual({ [SUCCESS]: 2, [UNKNOWN]: 4 });
    expect(await runs(other)).toEqual(log(other));
  });

  test('for any cut into batches, order, overlap and repetition (property)', { timeout: 120_000 }, async () => {
    const send = fc.record({ payment: fc.nat(1), from: fc.nat(3), count: fc.integer({ min: 1, max: 4 }) });
    const history = fc.array(fc.array(send, { minLength: 1, maxLength: 5 }), { maxLength: 6 });
    const shape = fc.array(
      fc.array(
        fc.constantFrom<EventType>('payment.completed', 'orchestrator.wallet.debit', 'wallet.debit', UNKNOWN, SUCCESS),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      { minLength: 4, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(shape, shape, history, async (first, second, batches) => {
        const payments = [first, second].map((types) => {
          const id = freshPaymentId();
          return { id, all: runsOf(id, ...types), seen: new Set<number>(), sequence: 0 };
        });
        const change = await moved(async () => {
          for (const batch of batches) {
            const publications = batch.flatMap(({ payment, from, count }) => {
              const target = payments[payment];
              const sent = target?.all.slice(from, from + count) ?? [];
              if (target === undefined || sent.length === 0) return [];
              for (const { first: identity } of sent) target.seen.add(identity);
              target.sequence = Math.max(target.sequence, sent.at(-1)?.last ?? 0);
              return [publication(target.id, sent)];
            });
            if (publications.length > 0) await record(...publications);
          }
        });
        const expected: Record<string, number> = {};
        for (const { id, all, seen, sequence } of payments) {
          const sent = all.filter((run) => seen.has(run.first));
          expect(await runs(id)).toEqual(sent);
          expect((await row(id))?.sequence ?? 0).toBe(sequence);
          for (const { event_type: type } of sent.flatMap((run) => run.events)) {
            if (type.startsWith('metrics.')) expected[type] = (expected[type] ?? 0) + 1;
          }
        }
        expect(change).toEqual(expected);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});

test('what was recorded so far, in every way and order, adds up to what the event log amounts to, sums too', async () => {
  const rows = await eventRowsAfter(env.DB, { groupId: '', first: 0 }, 10_000);
  const { counts } = countEvents({}, rows);
  const stored = await readCounters(env.DB);
  expect(Object.keys(counts)).toEqual(
    expect.arrayContaining(['runs', 'end|payment|completed|ms', 'step|wallet.debit|ms']),
  );
  expect(stored).toEqual(counts);
});

describe('the row of a payment', () => {
  const at = (id: string, sequence: number, status: PaymentRow['status']) =>
    publication(id, runsOf(id, ['payment.created']), {
      sequence,
      status,
      updated_at_ms: 1_000 + sequence,
      body: `{"n":${sequence}}`,
    });

  test('is replaced by a later one', async () => {
    const id = freshPaymentId();
    await record(at(id, 2, 'PENDING'));
    await record(at(id, 9, 'COMPLETED'));
    expect(await row(id)).toMatchObject({ sequence: 9, status: 'COMPLETED', body: '{"n":9}', updated_at_ms: 1_009 });
  });

  test.each([
    ['an earlier one that comes late', 2],
    ['one of the same sequence', 9],
  ])('is not replaced by %s', async (_what, sequence) => {
    const id = freshPaymentId();
    await record(at(id, 9, 'COMPLETED'));
    await record(at(id, sequence, 'PENDING'));
    expect(await row(id)).toMatchObject({ sequence: 9, status: 'COMPLETED', body: '{"n":9}' });
  });

  test.each([
    ['older first', [2, 9]],
    ['newer first', [9, 2]],
  ])('is the newest of its batch, %s', async (_what, sequences) => {
    const id = freshPaymentId();
    await record(...sequences.map((sequence) => at(id, sequence, sequence === 9 ? 'FAILED' : 'PENDING')));
    expect(await row(id)).toMatchObject({ sequence: 9, status: 'FAILED' });
  });
});

describe('a batch is one transaction', () => {
  test('of which nothing is left when its last statement fails: no counter, no event, no row', async () => {
    const [good, bad] = [freshPaymentId(), freshPaymentId()];
    const refused = publication(bad, runsOf(bad, [SUCCESS]), { wallet_id: null as unknown as string });
    let thrown: unknown;
    const change = await moved(async () => {
      try {
        await record(publication(good, runsOf(good, [SUCCESS])), refused);
      } catch (error) {
        thrown = error;
      }
    });
    expect(String(thrown)).toContain('NOT NULL');
    expect(change).toEqual({});
    for (const id of [good, bad]) {
      expect(await runs(id)).toEqual([]);
      expect(await row(id)).toBeNull();
    }
  });

  test('of as many payments as a queue batch may bring', async () => {
    const ids = Array.from({ length: 100 }, freshPaymentId);
    const change = await moved(() =>
      record(...ids.map((id) => publication(id, runsOf(id, ['payment.created'], [SUCCESS])))),
    );
    expect(change).toEqual({ [SUCCESS]: 100 });
  });

  test('of none is nothing', async () => {
    expect(await moved(() => record())).toEqual({});
  });
});

describe('the consumer of publications', () => {
  test('acknowledges each message and tells each saga which of its runs are recorded', async () => {
    const recorder = new Recorder();
    const [one, other] = [freshPaymentId(), freshPaymentId()];
    const [, ...later] = runsOf(other, ['payment.created'], [UNKNOWN], ['payment.completed']);
    const bodies = [publication(one, runsOf(one, ['payment.created', 'wallet.debit'])), publication(other, later)];
    const settled = await deliver(consumePaymentEvents, 'payment-events', bodies, recorder.env);
    expect(settled).toEqual({ acked: ['m1', 'm2'], retried: {} });
    expect(recorder.acknowledged).toMatchObject([
      { paymentId: one, effectIds: [], events: { first: 1, last: 2 }, spent: { worker_requests: 1 } },
      { paymentId: other, effectIds: [], events: { first: 2, last: 3 } },
    ]);
    // Shares of one batch: the rows between them, the invocation to the first.
    const [first, second] = recorder.acknowledged.map(({ spent }) => spent ?? {});
    expect(second?.worker_requests).toBeUndefined();
    expect(second).toMatchObject({ queue_operations: 2, object_requests: 1 });
    expect((first?.d1_rows_written ?? 0) - (second?.d1_rows_written ?? 0)).toBeOneOf([0, 1]);
    expect(second?.d1_rows_written).toBeGreaterThan(0);
    expect((await runs(other)).length).toBe(2);
  });

  test('buries what is no publication, and records its neighbours', async () => {
    const recorder = new Recorder();
    const id = freshPaymentId();
    const good = publication(id, runsOf(id, ['payment.created']));
    const poison = { ...good, runs: [] };
    const settled = await deliver(consumePaymentEvents, 'payment-events', [poison, good], recorder.env);
    expect(settled).toEqual({ acked: ['m1', 'm2'], retried: {} });
    expect(recorder.dead).toMatchObject([
      { queue: 'payment-events', reason: expect.stringMatching(/^malformed: /), body: poison },
    ]);
    expect(await row(id)).not.toBeNull();
  });

  test('retries everything while D1 takes nothing, and tells no saga', async () => {
    const recorder = new Recorder({ DB: brokenDatabase() });
    const ids = [freshPaymentId(), freshPaymentId()];
    const bodies = ids.map((id) => publication(id, runsOf(id, ['payment.created'])));
    const settled = await deliver(consumePaymentEvents, 'payment-events', bodies, recorder.env);
    expect(settled.acked).toEqual([]);
    expect(Object.keys(settled.retried)).toEqual(['m1', 'm2']);
    expect(recorder.acknowledged).toEqual([]);
  });

  test.each([
    ['is lost', transient],
    ['breaks the saga', bug],
  ])(
    'acknowledges what is recorded even when the news of it %s: the saga sends the run again',
    async (_what, error) => {
      const recorder = new Recorder();
      const [broken, other] = [freshPaymentId(), freshPaymentId()];
      recorder.breakSaga(broken, error);
      const bodies = [broken, other].map((id) => publication(id, runsOf(id, ['payment.created'])));
      const settled = await deliver(consumePaymentEvents, 'payment-events', bodies, recorder.env);
      expect(settled).toEqual({ acked: ['m1', 'm2'], retried: {} });
      expect(recorder.dead).toEqual([]);
      expect(recorder.acknowledged.map(({ paymentId }) => paymentId)).toEqual([other]);
      expect(await row(broken)).not.toBeNull();
    },
  );

  describe('hands on what is to be told of an end', () => {
    const NOTIFY = 'orchestrator.notify.payment_success';
    const notifications = (send: (body: unknown) => Promise<void>) => ({ NOTIFICATIONS: { send } as unknown as Queue });
    const ended = (id: string, toTell = [`${NOTIFY}.${id}`]) => ({
      ...publication(id, runsOf(id, ['payment.completed', NOTIFY])),
      to_tell: toTell,
    });
    afterEach(tellNobody);

    test('to those who are to be told, as it stands in the log; its saga hears of it from them', async () => {
      await tellSomebody();
      const sent: unknown[] = [];
      const recorder = new Recorder(notifications(async (body) => void sent.push(body)));
      const [one, other] = [freshPaymentId(), freshPaymentId()];
      // The second is sent again by itself, or has been told before: nothing is asked with its run.
      const bodies = [ended(one), ended(other, [])];
      expect((await deliver(consumePaymentEvents, 'payment-events', bodies, recorder.env)).acked).toEqual(['m1', 'm2']);
      expect(sent).toEqual([bodies[0]?.runs[0]?.events[1]]);
      expect(recorder.acknowledged).toMatchObject([
        // Its delivery, and the message that was sent.
        { paymentId: one, effectIds: [], events: { first: 1, last: 2 }, spent: { queue_operations: 3 } },
        { paymentId: other, effectIds: [], events: { first: 1, last: 2 }, spent: { queue_operations: 2 } },
      ]);
    });

    test('to nobody where nobody asks for it: its saga is told so with its run', async () => {
      await tellSomebody(['payment.failed', 'refund.completed']);
      const recorder = new Recorder(notifications(() => Promise.reject(new Error('sent'))));
      const id = freshPaymentId();
      expect((await deliver(consumePaymentEvents, 'payment-events', [ended(id)], recorder.env)).acked).toEqual(['m1']);
      const effectIds = [`${NOTIFY}.${id}`];
      expect(recorder.acknowledged).toMatchObject([{ paymentId: id, effectIds, events: { first: 1, last: 2 } }]);
    });

    test('by mail, where that is configured', async () => {
      const sent: unknown[] = [];
      const mailed = { NOTIFY_EMAIL_FROM: 'a@example.com', NOTIFY_EMAIL_TO: 'b@example.com' };
      const recorder = new Recorder({ ...notifications(async (body) => void sent.push(body)), ...mailed });
      const id = freshPaymentId();
      await deliver(consumePaymentEvents, 'payment-events', [ended(id)], recorder.env);
      expect(sent).toHaveLength(1);
      expect(recorder.acknowledged).toMatchObject([{ effectIds: [] }]);
    });

    test('and where it cannot be sent, records the run all the same: its saga sends it again by itself', async () => {
      await tellSomebody();
      const recorder = new Recorder(notifications(() => Promise.reject(transient())));
      const id = freshPaymentId();
      expect((await deliver(consumePaymentEvents, 'payment-events', [ended(id)], recorder.env)).acked).toEqual(['m1']);
      expect(recorder.acknowledged).toMatchObject([{ effectIds: [], spent: { queue_operations: 2 } }]);
      expect((await runs(id)).length).toBe(1);
    });

    test('but no event that is no such command, whatever a message says', async () => {
      await tellSomebody();
      const sent: unknown[] = [];
      const recorder = new Recorder(notifications(async (body) => void sent.push(body)));
      const id = freshPaymentId();
      const body = ended(id, [`payment.completed.${id}`, 'nothing']);
      expect((await deliver(consumePaymentEvents, 'payment-events', [body], recorder.env)).acked).toEqual(['m1']);
      expect(sent).toEqual([]);
      expect(recorder.acknowledged).toMatchObject([{ effectIds: [] }]);
    });
  });

  test('tells nobody of a payment that this namespace did not mint', async () => {
    const recorder = new Recorder();
    const id = `pay_${'1'.repeat(43)}`;
    const settled = await deliver(
      consumePaymentEvents,
      'payment-events',
      [publication(id, runsOf(id, ['payment.created']))],
      recorder.env,
    );
    expect(settled.acked).toEqual(['m1']);
    expect(recorder.acknowledged).toEqual([]);
  });
});

/** The runs that are there. */
function pick(...chosen: (Publication['runs'][number] | undefined)[]): Publication['runs'] {
  return chosen.filter((run) => run !== undefined);
}
