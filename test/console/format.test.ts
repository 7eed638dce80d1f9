// Amounts and counts as the console writes them, and the places of bars in a plot.
import { describe, expect, test } from 'vitest';
import { counted, moneyText, redriveText, words } from '../../console/src/format.ts';
import { plotOf, roundUp } from '../../console/src/plots/bars.ts';

describe('an amount', () => {
  test.each([
    [1230, 'USD', '12.30 USD'],
    [5, 'USD', '0.05 USD'],
    [0, 'USD', '0.00 USD'],
    [1230, 'CLP', '1,230 CLP'],
    [1230, 'KWD', '1.230 KWD'],
    [123456789, 'EUR', '1,234,567.89 EUR'],
    [-1230, 'USD', '−12.30 USD'],
    ['18000000000000000001', 'USD', '180,000,000,000,000,000.01 USD'],
    [1230, '???', '1,230 ???'],
  ] as const)('%s %s is %s', (amount, currency, text) => {
    expect(moneyText(amount, currency)).toBe(text);
  });
});

test('counts and names are written as words', () => {
  expect([counted(1, 'payment'), counted(2000, 'payment')]).toEqual(['1 payment', '2,000 payments']);
  expect(words('needs_attention_now')).toBe('needs attention now');
});

test('a redrive says what it came to, and where its saga has given up and needs a person', () => {
  const redrive = { result: 'redriven', outcome: 'no_longer_awaited', owner_state: 'completed' } as const;
  expect(redriveText(redrive)).toBe('redriven: no longer awaited');
  expect(redriveText({ ...redrive, owner_state: 'needs_attention' })).toBe(
    'redriven: no longer awaited; its saga needs a person',
  );
  expect(redriveText({ result: 'not_found', outcome: null, owner_state: null })).toBe('not found');
});

describe('a plot', () => {
  const frame = { left: 10, top: 0, width: 100, height: 50 };
  const slots = [
    { from: '', completed: 3, failed: 1, pending: 0 },
    { from: '', completed: 0, failed: 0, pending: 0 },
  ];

  test('stacks the parts of a slot, and leaves out those with nothing in them', () => {
    const { bars, scale } = plotOf(slots, ['completed', 'failed', 'pending'], frame);
    expect(bars).toEqual([
      { part: 'completed', x: 11, y: 12.5, width: 48, height: 37.5 },
      { part: 'failed', x: 11, y: 0, width: 48, height: 12.5 },
    ]);
    expect(scale).toEqual([
      { value: 0, y: 50 },
      { value: 2, y: 25 },
      { value: 4, y: 0 },
    ]);
  });

  test('of nothing has a scale all the same', () => {
    expect(plotOf([], ['failed'], frame)).toEqual({
      bars: [],
      scale: [
        { value: 0, y: 50 },
        { value: 1, y: 0 },
      ],
    });
  });

  test('ends its scale at a round number', () => {
    expect([1, 2, 3, 4, 5, 10, 11, 39, 41, 1000, 1001].map(roundUp)).toEqual([
      1, 2, 4, 4, 10, 10, 20, 40, 100, 1000, 2000,
    ]);
  });
});
