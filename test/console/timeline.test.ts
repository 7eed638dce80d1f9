// The timeline out of events: rows, attempts, retries, compensations and durations; and the picture that is drawn of it.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AttemptResult, durationText, layoutOf } from '../../console/src/timeline/layout.ts';
import { pictureOf, type Shape } from '../../console/src/timeline/picture.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';

const START_MS = Date.parse('2026-11-24T12:00:00.000Z');
type Told = readonly [afterMs: number, type: string, payload?: Readonly<Record<string, unknown>>];

function eventsOf(...told: Told[]): Envelope[] {
  return told.map(([afterMs, type, payload = {}], at) => ({
    event_id: `00000000-0000-4000-8000-${String(at + 1).padStart(12, '0')}`,
    event_type: type,
    event_version: '1.0',
    timestamp: new Date(START_MS + afterMs).toISOString(),
    payload,
    metadata: {
      source: 'payment-service',
      merchant: 'default',
      mode: 'sandbox',
      trace_id: '0'.repeat(32),
      traceparent: '',
      message_group_id: 'payment_pay_1',
      message_deduplication_id: `${type}.pay_1`,
      sequence: at + 1,
    },
  }));
}

const answer = (operation: string, gateway_status: string, more = {}) => ({
  operation,
  gateway_status,
  provider: 'acme',
  ...more,
});

/** Rows as `label: from-to result`, in milliseconds from the start; `…` where it still runs. */
function told(...events: Told[]): string[] {
  const { rows, fromMs } = layoutOf(eventsOf(...events));
  return rows.map(({ label, isUndo, attempts }) => {
    const texts = attempts.map(
      ({ fromMs: from, toMs, result }) => `${from - fromMs}-${toMs === null ? '…' : toMs - fromMs} ${result}`,
    );
    return `${label}${isUndo ? ' (undo)' : ''}: ${texts.join(', ')}`;
  });
}

const BEGUN: Told[] = [
  [0, 'payment.created'],
  [0, 'orchestrator.wallet.hold_funds'],
  [20, 'wallet.hold_funds', { status: 'HELD' }],
];
const AUTHORIZED: Told[] = [
  ...BEGUN,
  [20, 'payment_gateway.routed', { provider: 'acme' }],
  [20, 'orchestrator.gateway.authorize', { provider: 'acme' }],
  [50, 'payment_gateway.response', answer('authorize', 'AUTHORIZED')],
  [50, 'orchestrator.wallet.debit'],
];

describe('the layout of a payment', () => {
  test('that completes has a row for each step, from its command to its outcome', () => {
    const events: Told[] = [
      ...AUTHORIZED,
      [90, 'wallet.debit', { status: 'DEBITED' }],
      [90, 'payment.completed'],
      [90, 'metrics.payment.success'],
      [90, 'orchestrator.notify.payment_success'],
    ];
    expect(told(...events)).toEqual(['Hold funds: 0-20 done', 'Authorize: 20-50 done', 'Debit: 50-90 done']);
    const timeline = layoutOf(eventsOf(...events));
    expect(timeline).toMatchObject({ fromMs: START_MS, toMs: START_MS + 90, isEnded: true });
    expect(timeline.marks.map(({ label, kind }) => [label, kind])).toEqual([
      ['created', 'begin'],
      ['completed', 'good'],
    ]);
    expect(timeline.rows[1]?.attempts[0]).toEqual({
      fromMs: START_MS + 20,
      toMs: START_MS + 50,
      result: 'done',
      answer: 'AUTHORIZED',
      provider: 'acme',
      sequence: 5,
      answerSequence: 6,
    });
  });

  test('that runs has an attempt without an end', () => {
    expect(told(...AUTHORIZED).at(-1)).toBe('Debit: 50-… running');
    expect(layoutOf(eventsOf(...AUTHORIZED)).isEnded).toBe(false);
  });

  test('whose debit is refused shows what undoes it, and each attempt at that: sent again with no new command', () => {
    expect(
      told(
        ...AUTHORIZED,
        [90, 'wallet.debit_failed', { status: 'REFUSED', reason: 'insufficient_funds' }],
        [90, 'orchestrator.gateway.unauthorize', { provider: 'acme' }],
        [90, 'orchestrator.wallet.release_funds'],
        [100, 'wallet.release_funds', { status: 'RELEASED' }],
        [2000, 'payment_gateway.response', answer('unauthorize', 'UNKNOWN', { reason: 'timeout' })],
        [5000, 'payment_gateway.response', answer('unauthorize', 'NOT_SENT')],
        [9000, 'payment_gateway.response', answer('unauthorize', 'VOIDED')],
        [9000, 'payment.failed'],
      ).slice(2),
    ).toEqual([
      'Debit: 50-90 refused',
      'Void (undo): 90-2000 unknown, 2000-5000 not_sent, 5000-9000 done',
      'Release funds (undo): 90-100 done',
    ]);
  });

  test('that is tried at one provider after another has an attempt for each command', () => {
    const events: Told[] = [
      ...BEGUN,
      [20, 'orchestrator.gateway.authorize', { provider: 'acme' }],
      [40, 'payment_gateway.response', answer('authorize', 'NOT_SENT')],
      [40, 'orchestrator.gateway.authorize', { provider: 'borealis' }],
      [
        90,
        'payment_gateway.response',
        answer('authorize', 'UNAUTHORIZED', { decline_code: 'lost', provider: 'borealis' }),
      ],
    ];
    expect(told(...events).at(-1)).toBe('Authorize: 20-40 not_sent, 40-90 refused');
    const attempts = layoutOf(eventsOf(...events)).rows[1]?.attempts ?? [];
    expect(attempts.map(({ provider, answer: text }) => [provider, text])).toEqual([
      ['acme', 'NOT_SENT'],
      ['borealis', 'UNAUTHORIZED (lost)'],
    ]);
  });

  test('whose provider answers later waits, and an unknown one is looked up', () => {
    expect(
      told(
        ...BEGUN,
        [20, 'orchestrator.gateway.authorize'],
        [30, 'payment_gateway.response', answer('authorize', 'PENDING')],
        [600, 'payment_gateway.response', answer('authorize', 'UNKNOWN')],
        [1600, 'orchestrator.gateway.lookup'],
        [1620, 'payment_gateway.response', answer('lookup', 'PENDING')],
        [3600, 'orchestrator.gateway.lookup'],
        [3620, 'payment_gateway.response', answer('lookup', 'ABSENT')],
      ).slice(1),
    ).toEqual([
      'Authorize: 20-30 waiting, 30-600 unknown',
      'Look up: 1600-1620 waiting, 1620-3600 given_up, 3600-3620 done',
    ]);
  });

  test('that needs a person gives up what is open, and goes on from what the person said', () => {
    const stopped: Told[] = [
      ...AUTHORIZED,
      [90, 'wallet.debit_failed', { reason: 'frozen' }],
      [90, 'orchestrator.gateway.unauthorize', { provider: 'acme' }],
      [2000, 'payment_gateway.response', answer('unauthorize', 'UNKNOWN')],
      [3000, 'payment.needs_attention', { reason: 'void_failed' }],
    ];
    expect(told(...stopped).at(-1)).toBe('Void (undo): 90-2000 unknown, 2000-3000 given_up');
    expect(layoutOf(eventsOf(...stopped)).isEnded).toBe(false);
    const moved: Told[] = [
      ...stopped,
      [8000, 'payment.retried', { actor: 'jane' }],
      [8100, 'payment_gateway.response', answer('unauthorize', 'VOIDED')],
      [8100, 'payment.failed'],
    ];
    expect(told(...moved).at(-1)).toBe('Void (undo): 90-2000 unknown, 2000-3000 given_up, 8000-8100 done');
    expect(layoutOf(eventsOf(...moved)).marks.map(({ kind }) => kind)).toEqual(['begin', 'bad', 'person', 'bad']);
  });

  test('that is ended may be refunded, and a late answer is drawn', () => {
    const events: Told[] = [
      ...AUTHORIZED,
      [90, 'wallet.debit', { status: 'DEBITED' }],
      [90, 'payment.completed'],
      [5000, 'payment.refunded', { amount: 5 }],
    ];
    const timeline = layoutOf(eventsOf(...events));
    expect(timeline.marks.at(-1)).toMatchObject({ label: 'refunded', kind: 'other', atMs: START_MS + 5000 });
    expect(timeline.isEnded).toBe(true);
  });
});

describe('the layout of a refund', () => {
  test('has the steps of a refund', () => {
    expect(
      told(
        [0, 'refund.created'],
        [0, 'orchestrator.payment.reserve_refund'],
        [10, 'payment.refund_reserved', { amount: 5 }],
        [10, 'orchestrator.gateway.refund'],
        [30, 'payment_gateway.response', answer('refund', 'REFUNDED')],
        [30, 'orchestrator.wallet.credit'],
        [40, 'wallet.credit', { status: 'CREDITED' }],
        [40, 'refund.completed'],
        [40, 'orchestrator.payment.settle_refund'],
        [50, 'payment.refund_settled', { settlement: 'completed' }],
      ),
    ).toEqual(['Reserve refund: 0-10 done', 'Refund: 10-30 done', 'Credit: 30-40 done', 'Settle refund: 40-50 done']);
  });
});

test('no events, and events of types that nobody knows, are no timeline', () => {
  expect(layoutOf([])).toEqual({ fromMs: 0, toMs: 0, rows: [], marks: [], isEnded: false });
  expect(told([0, 'payment.dreamt'], [5, 'payment_gateway.response', answer('dream', 'AUTHORIZED')])).toEqual([]);
});

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [59_900, '59.9 s'],
  [59_999, '1 min 0 s'],
  [200_000, '3 min 20 s'],
  [3_599_600, '1 h 0 min'],
  [255_840_000, '71 h 4 min'],
])('%d ms is written %s', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

describe('the picture', () => {
  const rectsOf = (shapes: readonly Shape[]) => shapes.filter((shape) => shape.kind === 'rect');
  const textsOf = (shapes: readonly Shape[]) =>
    shapes.flatMap((shape) => (shape.kind === 'text' ? [{ ...shape }] : []));

  type Text = Extract<Shape, { kind: 'text' }>;
  const endOf = ({ x, anchor, text }: Text) => x + { start: 6.4, middle: 3.2, end: 0 }[anchor] * text.length;
  const expectInside = (bar: Extract<Shape, { kind: 'rect' }>, width: number, height: number): void => {
    expect(bar.x).toBeGreaterThanOrEqual(0);
    expect(bar.x + bar.width).toBeLessThanOrEqual(width);
    expect(bar.y + bar.height).toBeLessThanOrEqual(height);
  };

  test('has a bar for each attempt, on the time axis, and nothing beyond its edges', () => {
    const timeline = layoutOf(
      eventsOf(...AUTHORIZED, [100, 'wallet.debit', { status: 'DEBITED' }], [100, 'payment.completed']),
    );
    for (const width of [300, 375, 1200]) {
      const { shapes, height, isCompressed } = pictureOf(timeline, START_MS + 999_999, width);
      const bars = rectsOf(shapes);
      expect(bars.map(({ className }) => className)).toEqual(['bar done', 'bar done', 'bar done']);
      expect(isCompressed).toBe(false);
      for (const bar of bars) expectInside(bar, width, height);
      const [hold, authorize, debit] = bars;
      // 20, 30 and 50 ms of 100.
      expect(((debit?.width ?? 0) + 1) / ((hold?.width ?? 0) + 1)).toBeCloseTo(2.5);
      expect(authorize?.x).toBeCloseTo((hold?.x ?? 0) + (hold?.width ?? 0) + 1);
      expect(authorize?.title).toBe('Authorize · acme · AUTHORIZED · 30 ms');
      for (const text of textsOf(shapes)) expect(endOf(text), text.text).toBeLessThanOrEqual(width + 10);
    }
  });

  test('draws what still runs up to now, and what undoes in its own way', () => {
    const events: Told[] = [
      ...AUTHORIZED,
      [90, 'wallet.debit_failed', { reason: 'x' }],
      [90, 'orchestrator.wallet.release_funds'],
    ];
    const { shapes } = pictureOf(layoutOf(eventsOf(...events)), START_MS + 1_000, 800);
    const running = rectsOf(shapes).at(-1);
    expect(running?.className).toBe('bar running undo');
    expect((running?.x ?? 0) + (running?.width ?? 0)).toBeCloseTo(800 - 64 - 1);
    expect(textsOf(shapes).map(({ text }) => text)).toContain('↩ Release funds');
  });

  test('counts attempts beside their durations', () => {
    const events: Told[] = [
      ...BEGUN,
      [20, 'orchestrator.gateway.authorize'],
      [30, 'payment_gateway.response', answer('authorize', 'NOT_SENT')],
      [40, 'orchestrator.gateway.authorize'],
      [60, 'payment_gateway.response', answer('authorize', 'AUTHORIZED')],
    ];
    const texts = textsOf(pictureOf(layoutOf(eventsOf(...events)), START_MS + 60, 800).shapes).map(({ text }) => text);
    expect(texts).toContain('40 ms ×2');
    expect(texts).toContain('20 ms');
  });

  test('of a wait of hours is compressed, so that the rest can still be seen', () => {
    const events: Told[] = [
      ...AUTHORIZED,
      [90, 'wallet.debit', { status: 'DEBITED' }],
      [4 * 3_600_000, 'payment.completed'],
    ];
    const { shapes, isCompressed } = pictureOf(layoutOf(eventsOf(...events)), START_MS, 1200);
    expect(isCompressed).toBe(true);
    const bars = rectsOf(shapes);
    expect(bars.map(({ x }) => x)).toEqual([...bars.map(({ x }) => x)].sort((one, other) => one - other));
    for (const { x, width } of bars) expect(x + width).toBeLessThanOrEqual(1200 - 64);
  });

  test('has a colour for every result that an attempt can have', () => {
    const results: Record<AttemptResult, true> = {
      done: true,
      refused: true,
      unknown: true,
      not_sent: true,
      waiting: true,
      given_up: true,
      running: true,
    };
    const styles = readFileSync('console/src/styles.css', 'utf8');
    const bars = styles.split('}').filter((rule) => rule.includes('.bar') && rule.includes('fill: var('));
    for (const result of Object.keys(results))
      expect(
        bars.some((rule) => rule.includes(`.${result}`)),
        result,
      ).toBe(true);
  });
});
