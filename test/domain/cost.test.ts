// The arithmetic of cost: vectors, shares without loss, prices, messages by size, and what follows an end.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { PRICES, PRICES_AS_OF, priceOf, priceOfUnits, usdText } from '../../src/domain/cost/prices.ts';
import { COST_SERIES, costSeries, costSums } from '../../src/domain/cost/series.ts';
import {
  apportioned,
  largerSpent,
  RESOURCES,
  type Spent,
  spentSchema,
  spentSince,
  sumOfSpent,
} from '../../src/domain/cost/spent.ts';
import { costView } from '../../src/domain/cost/view.ts';
import { afterTheEnd, chunksOf, delivery, EXPIRY, OBJECT_CALL, REQUEST, sending } from '../../src/domain/cost/work.ts';

const spents: fc.Arbitrary<Spent> = fc.dictionary(
  fc.constantFrom(...RESOURCES),
  fc.integer({ min: 0, max: 1_000_000 }),
) as fc.Arbitrary<Spent>;

describe('vectors', () => {
  it('add up by resource, what is absent as 0, and hold no zeros', () => {
    const sum = sumOfSpent({ object_requests: 1, object_ms: 0 }, undefined, {
      object_requests: 2,
      queue_operations: 3,
    });
    expect(sum).toEqual({ object_requests: 3, queue_operations: 3 });
    expect(sumOfSpent()).toEqual({});
  });

  it('differ by what came on top, never by less than nothing', () => {
    expect(
      spentSince({ object_ms: 5, d1_rows_read: 4 }, { object_ms: 7, d1_rows_read: 3, worker_requests: 1 }),
    ).toEqual({
      worker_requests: 1,
      object_ms: 2,
    });
  });

  it('are as large as the larger of two, by resource', () => {
    expect(largerSpent({ object_ms: 5, d1_rows_read: 1 }, { object_ms: 2, worker_requests: 9 })).toEqual({
      worker_requests: 9,
      object_ms: 5,
      d1_rows_read: 1,
    });
  });

  test('a difference added to where it began comes to where it ended', () => {
    fc.assert(
      fc.property(spents, spents, (before, more) => {
        const after = sumOfSpent(before, more);
        expect(sumOfSpent(before, spentSince(before, after))).toEqual(after);
      }),
    );
  });

  it.each([[{ object_requests: -1 }], [{ object_requests: 1.5 }], [{ electricity: 1 }], [{ object_requests: '1' }]])(
    'are refused from a message: %j',
    (value) => {
      expect(spentSchema.safeParse(value).success).toBe(false);
    },
  );

  it('are taken from a message sparse', () => {
    expect(spentSchema.parse({ object_requests: 0, d1_rows_read: 7 })).toEqual({ object_requests: 0, d1_rows_read: 7 });
    expect(spentSchema.parse({})).toEqual({});
  });
});

describe('shares of a batch', () => {
  it('are whole, and the first have what cannot be split', () => {
    expect(apportioned({ d1_rows_written: 8, worker_requests: 1 }, 3)).toEqual([
      { worker_requests: 1, d1_rows_written: 3 },
      { d1_rows_written: 3 },
      { d1_rows_written: 2 },
    ]);
    expect(apportioned({ d1_rows_written: 8 }, 1)).toEqual([{ d1_rows_written: 8 }]);
    expect(apportioned({ d1_rows_written: 8 }, 0)).toEqual([]);
  });

  test('add up to the batch, and differ by one at most', () => {
    fc.assert(
      fc.property(spents, fc.integer({ min: 1, max: 100 }), (spent, count) => {
        const shares = apportioned(spent, count);
        expect(shares).toHaveLength(count);
        expect(sumOfSpent(...shares)).toEqual(sumOfSpent(spent));
        for (const resource of RESOURCES) {
          const units = shares.map((share) => share[resource] ?? 0);
          expect(units.every(Number.isSafeInteger)).toBe(true);
          expect(Math.max(...units) - Math.min(...units)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('the price list', () => {
  it('has a whole price, a source and what that says for every resource', () => {
    expect(Object.keys(PRICES)).toEqual([...RESOURCES]);
    for (const { picodollars, listed, source } of Object.values(PRICES)) {
      expect(Number.isSafeInteger(picodollars) && picodollars > 0).toBe(true);
      expect(listed).toMatch(/^\d+\.\d+ USD per million/);
      expect(source).toMatch(/^https:\/\/developers\.cloudflare\.com\/[a-z0-9-]+\/platform\/pricing\/$/);
    }
    expect(PRICES_AS_OF).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  // A million of each is what the page says; a million GB-s are 7,812,500,000,000 ms of 128 MB.
  it.each([
    ['worker_requests', 1_000_000, '0.300'],
    ['object_requests', 1_000_000, '0.150'],
    ['object_rows_written', 1_000_000, '1.000'],
    ['object_rows_read', 1_000_000, '0.001'],
    ['d1_rows_written', 1_000_000, '1.000'],
    ['d1_rows_read', 1_000_000, '0.001'],
    ['queue_operations', 1_000_000, '0.400'],
    ['object_ms', 7_812_500_000, '12.500'],
  ] as const)('%s: %d cost %s USD', (resource, units, usd) => {
    expect(usdText(priceOfUnits(resource, units), 3)).toBe(usd);
  });

  it('adds up what all of it costs', () => {
    const spent: Spent = Object.fromEntries(RESOURCES.map((resource) => [resource, 1]));
    expect(priceOf(spent)).toBe(BigInt(Object.values(PRICES).reduce((sum, { picodollars }) => sum + picodollars, 0)));
    expect(priceOf({})).toBe(0n);
    expect(priceOf({ d1_rows_written: 2 ** 52 })).toBe(2n ** 52n * 1_000_000n);
  });

  it.each([
    [0n, 2, '0.00'],
    [4_999_999_999n, 2, '0.00'],
    [5_000_000_000n, 2, '0.01'],
    [1_234_567_890_123_456n, 4, '1234.5679'],
    [999_999_999_999n, 0, '1'],
    [25_000_000_000_000n, 0, '25'],
    [1_000_000n, 9, '0.000001000'],
  ])('%d picodollars with %d decimals are %s', (picodollars, decimals, text) => {
    expect(usdText(picodollars, decimals)).toBe(text);
  });
});

describe('work', () => {
  it.each([
    ['an ordinary message', 'x'.repeat(21_331), 1],
    ['one that may not fit, and does', 'x'.repeat(63_998), 1],
    ['one byte more', 'x'.repeat(63_999), 2],
    ['few characters of many bytes', '€'.repeat(30_000), 2],
    ['the largest', 'x'.repeat(127_000), 2],
    ['no body', undefined, 1],
  ])('%s is so many times 64 KB', (_name, body, chunks) => {
    expect(chunksOf(body)).toBe(chunks);
  });

  it('a message is a write, a read for each delivery, and a delete; a batch is one invocation', () => {
    expect(sending({})).toEqual({ queue_operations: 1 });
    expect(delivery({}, 1, true)).toEqual({ worker_requests: 1, queue_operations: 2 });
    expect(delivery({}, 3, false)).toEqual({ queue_operations: 4 });
    expect(delivery('x'.repeat(70_000), 2, false)).toEqual({ queue_operations: 6 });
  });

  it('a call of an object is a request and its least time; a client comes through the Worker', () => {
    expect(OBJECT_CALL).toEqual({ object_requests: 1, object_ms: 1 });
    expect(REQUEST).toEqual({ worker_requests: 1, object_requests: 1, object_ms: 1 });
  });

  it('forgetting a saga costs its alarm, and its tombstone', () => {
    expect(EXPIRY).toEqual({ object_requests: 1, object_ms: 1, object_rows_written: 1 });
  });

  it('an end is recorded, brought to rest and forgotten', () => {
    const alone = afterTheEnd('recorded');
    expect(alone).toEqual({
      worker_requests: 1,
      object_requests: 2,
      object_ms: 2,
      object_rows_written: 3,
      d1_rows_written: 4,
      queue_operations: 3,
    });
    expect(spentSince(alone, afterTheEnd('untold'))).toEqual({ d1_rows_written: 2 });
    expect(spentSince(alone, afterTheEnd('out'))).toEqual({
      object_requests: 1,
      object_ms: 1,
      d1_rows_written: 3,
      queue_operations: 2,
    });
  });
});

describe('what is shown and stored', () => {
  it('shows every resource, and the price of a million of both', () => {
    const view = costView({ object_rows_written: 16, queue_operations: 18 }, { object_rows_written: 7 });
    expect(Object.keys(view.spent)).toEqual([...RESOURCES]);
    expect(view.spent).toMatchObject({ object_rows_written: 16, worker_requests: 0 });
    expect(view.to_come).toMatchObject({ object_rows_written: 7, queue_operations: 0 });
    expect(view.usd_per_million).toBe('30.2000');
    expect(view.prices_as_of).toBe(PRICES_AS_OF);
  });

  it('names a sum for each resource', () => {
    expect(costSeries('object_ms')).toBe('cost|object_ms');
    expect(COST_SERIES).toHaveLength(RESOURCES.length);
    expect(costSums({ object_ms: 3, d1_rows_read: 1 })).toEqual({ 'cost|object_ms': 3, 'cost|d1_rows_read': 1 });
    expect(costSums({})).toEqual({});
  });
});
