import { env } from 'cloudflare:workers';
import { describe, expect, test, vi } from 'vitest';
import { type Consumed, consume } from '../../queues/consume.ts';
import { ACK, type Verdict } from '../../queues/retry-policy.ts';
import { ERROR_TEXT_LENGTH_MAX } from '../../src/domain/limits.ts';
import { bug, d1Overloaded, deliver, overloaded, Recorder, transient, unknown } from './messages.ts';

type Handle = (bodies: readonly string[]) => Promise<readonly Verdict[]>;

const acknowledge: Handle = async (bodies) => bodies.map(() => ACK);

/** Bodies are texts: `poison…` does not decode, the first letter is the group. */
function consumerOf(handle: Handle) {
  return (batch: MessageBatch, testEnv: Env) =>
    consume<string>(batch, testEnv, {
      decode: (body) =>
        typeof body === 'string' && !body.startsWith('poison')
          ? { ok: true, body }
          : { ok: false, reason: `malformed: ${String(body)}` },
      groupKey: (body) => body.charAt(0),
      handle: (items: readonly Consumed<string>[]) => handle(items.map(({ body }) => body)),
    });
}

describe('each message is settled by itself', () => {
  test('as the handler says: acknowledged, retried with its delay, or buried with its reason', async () => {
    const verdicts: Record<string, Verdict> = {
      a1: ACK,
      a2: { kind: 'retry', delaySeconds: 7, reason: 'later' },
      a3: { kind: 'dead', reason: 'never' },
      b1: ACK,
    };
    const recorder = new Recorder();
    const handle: Handle = async (bodies) => bodies.map((body) => verdicts[body] ?? ACK);
    const settled = await deliver(consumerOf(handle), 'some-queue', ['a1', 'a2', 'a3', 'b1'], recorder.env);
    expect(settled).toEqual({ acked: ['m1', 'm3', 'm4'], retried: { m2: 7 } });
    expect(recorder.dead).toEqual([
      { kind: 'dead_message', message_id: 'm3', queue: 'some-queue', reason: 'never', body: 'a3' },
    ]);
  });

  test('and a batch of none is nothing to do', async () => {
    expect(await deliver(consumerOf(acknowledge), 'q', [], env)).toEqual({ acked: [], retried: {} });
  });

  test('and one without a verdict is never acknowledged silently', async () => {
    const recorder = new Recorder();
    const handle: Handle = async (bodies) => (bodies.length > 1 ? [ACK] : bodies[0] === 'a2' ? [] : [ACK]);
    await deliver(consumerOf(handle), 'q', ['a1', 'a2'], recorder.env);
    expect(recorder.dead).toMatchObject([{ body: 'a2', reason: expect.stringContaining('one_verdict_per_message') }]);
  });
});

describe('poison', () => {
  test('goes to the dead letters at once, with its queue, its reason and its body, and harms no neighbour', async () => {
    const recorder = new Recorder();
    const handle = vi.fn(acknowledge);
    const bodies = ['a1', 'poison', 'a2', { not: 'text' }];
    const settled = await deliver(consumerOf(handle), 'q', bodies, recorder.env);
    expect(settled).toEqual({ acked: ['m1', 'm2', 'm3', 'm4'], retried: {} });
    expect(recorder.dead).toEqual([
      { kind: 'dead_message', message_id: 'm2', queue: 'q', reason: 'malformed: poison', body: 'poison' },
      {
        kind: 'dead_message',
        message_id: 'm4',
        queue: 'q',
        reason: 'malformed: [object Object]',
        body: { not: 'text' },
      },
    ]);
    expect(handle.mock.calls).toEqual([[['a1', 'a2']]]);
  });

  test('has a bounded reason', async () => {
    const recorder = new Recorder();
    await deliver(consumerOf(acknowledge), 'q', [`poison${'x'.repeat(10_000)}`], recorder.env);
    expect(recorder.dead[0]?.reason.length).toBe(ERROR_TEXT_LENGTH_MAX);
  });

  test('that cannot be buried is retried, not lost, and harms no neighbour', async () => {
    const recorder = new Recorder({
      DEAD_LETTERS: { send: () => Promise.reject(new Error('Queue send failed')) } as unknown as Queue,
    });
    const settled = await deliver(consumerOf(acknowledge), 'q', ['poison', 'a1'], recorder.env);
    expect(settled).toEqual({ acked: ['m2'], retried: { m1: undefined } });
  });
});

describe('messages that belong together', () => {
  test('are handled in one call, in the order in which they came; others in calls of their own', async () => {
    const handle = vi.fn(acknowledge);
    await deliver(consumerOf(handle), 'q', ['a1', 'b1', 'a2', 'c1', 'b2'], env);
    expect(handle.mock.calls).toEqual([[['a1', 'a2']], [['b1', 'b2']], [['c1']]]);
  });

  test('are handled side by side with other groups: a slow one holds up no other', async () => {
    const second = Promise.withResolvers<void>();
    const handle: Handle = async (bodies) => {
      // The first group ends only after the second has begun.
      if (bodies[0] === 'a1') await second.promise;
      else second.resolve();
      return bodies.map(() => ACK);
    };
    expect((await deliver(consumerOf(handle), 'q', ['a1', 'b1'], env)).acked).toEqual(['m1', 'm2']);
  });
});

describe('a handler that throws', () => {
  /** Throws whenever one of its messages is `bad`. */
  const throwing = (bad: string, error: () => unknown) =>
    vi.fn<Handle>(async (bodies) => {
      if (bodies.includes(bad)) throw error();
      return bodies.map(() => ACK);
    });

  test('for a group is asked again for its halves, so that one message takes no other with it', async () => {
    const handle = throwing('a2', unknown);
    const settled = await deliver(consumerOf(handle), 'q', ['a1', 'a2', 'a3', 'b1'], env);
    expect(settled.acked).toEqual(['m1', 'm3', 'm4']);
    expect(Object.keys(settled.retried)).toEqual(['m2']);
    const calls = handle.mock.calls.map(([bodies]) => bodies).filter(([first]) => first !== 'b1');
    expect(calls).toEqual([['a1', 'a2', 'a3'], ['a1', 'a2'], ['a1'], ['a2'], ['a3']]);
  });

  test.each(['a0', 'a42', 'a99'])('for one of a hundred (%s) is asked 15 times, never twice at once', async (bad) => {
    const [throws, calls] = [throwing(bad, unknown), { now: 0, most: 0 }];
    const handle: Handle = async (bodies) => {
      calls.now += 1;
      calls.most = Math.max(calls.most, calls.now);
      await scheduler.wait(1);
      return throws(bodies).finally(() => (calls.now -= 1));
    };
    const bodies = Array.from({ length: 100 }, (_, index) => `a${index}`);
    const settled = await deliver(consumerOf(handle), 'q', bodies, env);
    expect(Object.keys(settled.retried)).toEqual([`m${bodies.indexOf(bad) + 1}`]);
    expect(settled.acked).toHaveLength(99);
    expect(throws.mock.calls.length).toBeLessThanOrEqual(15);
    expect(calls.most).toBe(1);
  });

  test('for one message is not asked again in the same delivery', async () => {
    const handle = throwing('a1', transient);
    const settled = await deliver(consumerOf(handle), 'q', ['a1'], env);
    expect(handle).toHaveBeenCalledTimes(1);
    expect(settled).toEqual({ acked: [], retried: { m1: 1 } });
  });

  test('for a bug buries the message that breaks, and only that one', async () => {
    const recorder = new Recorder();
    const settled = await deliver(consumerOf(throwing('a2', bug)), 'q', ['a1', 'a2'], recorder.env);
    expect(settled).toEqual({ acked: ['m1', 'm2'], retried: {} });
    expect(recorder.dead).toMatchObject([{ body: 'a2', reason: 'InvariantError: invariant broken: test {}' }]);
  });

  test.each([
    ['an overloaded object', overloaded],
    ['an overloaded D1', d1Overloaded],
  ])('for %s is not asked again at once: all of its group wait 5 s or more', async (_what, error) => {
    const handle = throwing('a2', error);
    const settled = await deliver(consumerOf(handle), 'q', ['a1', 'a2', 'b1'], env);
    expect(handle).toHaveBeenCalledTimes(2);
    expect(settled.acked).toEqual(['m3']);
    expect(Object.keys(settled.retried)).toEqual(['m1', 'm2']);
    for (const delay of Object.values(settled.retried)) expect(delay).toBeGreaterThanOrEqual(5);
  });

  test.each([
    ['an object that is reset', () => Object.assign(new Error('reset'), { retryable: true })],
    ['a D1 that is reset', () => new Error('D1_ERROR: D1 DB reset because its code was updated.')],
  ])('for %s is not asked again at once: all of its group are retried, as it has patience', async (_what, error) => {
    const handle = throwing('a2', error);
    const settled = await deliver(consumerOf(handle), 'q', ['a1', 'a2', 'a3'], env);
    expect(handle).toHaveBeenCalledTimes(1);
    expect(settled).toEqual({ acked: [], retried: { m1: 1, m2: 1, m3: 1 } });
  });

  test('for a D1 that goes away between two halves is not asked about the rest, which is retried', async () => {
    const handle = vi.fn<Handle>(async (bodies) => {
      if (bodies.length === 4) throw unknown();
      if (bodies.includes('a2')) throw d1Overloaded();
      return bodies.map(() => ACK);
    });
    const settled = await deliver(consumerOf(handle), 'q', ['a1', 'a2', 'a3', 'a4'], env);
    expect(handle.mock.calls.map(([bodies]) => bodies)).toEqual([
      ['a1', 'a2', 'a3', 'a4'],
      ['a1', 'a2'],
    ]);
    expect(settled.acked).toEqual([]);
    expect(Object.keys(settled.retried)).toEqual(['m1', 'm2', 'm3', 'm4']);
  });

  test('before it awaits anything is handled like any other', async () => {
    const handle = (() => {
      throw transient();
    }) as unknown as Handle;
    expect((await deliver(consumerOf(handle), 'q', ['a1'], env)).retried).toEqual({ m1: 1 });
  });

  test('waits longer, the more often the message has been delivered', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
    try {
      const delays = [];
      for (const attempts of [1, 2, 3, 4]) {
        const settled = await deliver(consumerOf(throwing('a1', transient)), 'q', ['a1'], env, { attempts });
        delays.push(settled.retried.m1);
      }
      expect(delays).toEqual([1, 2, 4, 8]);
    } finally {
      vi.restoreAllMocks();
    }
  });
});
