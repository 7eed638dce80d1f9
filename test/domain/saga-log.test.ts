/** What the log says of a saga's commit, where nothing else would say it. */
import { afterEach, expect, test, vi } from 'vitest';
import { logCommit } from '../../durable-objects/saga/log-commit.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import { PAYMENT_KIND } from '../../src/domain/payment-view.ts';
import { beginRecord, takeInputs } from '../../src/domain/saga/record.ts';
import { PAYMENT_ID, SagaDriver, START_MS } from '../support/saga.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Whether the line of the commit that the timer makes at that time is an alert. */
function isAlert(saga: SagaDriver, waitMs: number): boolean {
  const log = vi.spyOn(console, 'log').mockReturnValue(undefined);
  const context = saga.context();
  const { record } = beginRecord(PAYMENT_KIND, 'f', { saga: saga.saga, events: [], send: [] }, context);
  const change = takeInputs(PAYMENT_KIND, record, [{ kind: 'timer' }], { ...context, nowMs: context.nowMs + waitMs });
  if (change === null) throw new Error('nothing was due');
  logCommit(`payment_${PAYMENT_ID}`, change.record, change.step, context.nowMs + waitMs);
  const line = JSON.parse(String(log.mock.lastCall?.[0])) as { alert?: boolean; sent: string };
  expect(line.sent).toContain('orchestrator.gateway.unauthorize');
  return line.alert === true;
}

test('a late charge whose undoing nobody has answered for an hour is an alert: what has ended is in no list of what stands still', () => {
  const saga = new SagaDriver({ method: 'credit_card', token: 'pm_card_visa' });
  saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
  saga.gateway('authorize', { gateway_status: 'AUTHORIZED' });
  expect(saga.saga.state).toBe('failed');
  expect(saga.nowMs).toBe(START_MS);
  expect(isAlert(saga, 10 * MINUTE_MS)).toBe(false);
  expect(isAlert(saga, HOUR_MS)).toBe(true);
});

test('a payment that has not ended is in that list: its undoing is none', () => {
  const saga = new SagaDriver({ method: 'credit_card', token: 'pm_card_visa' });
  saga.gateway('authorize', { gateway_status: 'AUTHORIZED' });
  saga.gateway('capture', { gateway_status: 'UNAUTHORIZED' });
  expect(saga.saga.state).toBe('compensating');
  expect(isAlert(saga, HOUR_MS)).toBe(false);
});
