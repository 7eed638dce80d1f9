import { expect, test } from 'vitest';
import { queueNameOf, SANDBOX_QUEUE_PREFIX } from '../../src/domain/queue-names.ts';

test.each([
  ['wallet-commands', 'wallet-commands'],
  ['sandbox-wallet-commands', 'wallet-commands'],
  ['sandbox-notifications-dlq', 'notifications-dlq'],
  ['notifications-sandbox-', 'notifications-sandbox-'],
  ['sandbox-sandbox-x', 'sandbox-x'],
])('the queue %s is known as %s', (deployed, known) => {
  expect(queueNameOf(deployed)).toBe(known);
});

test('the prefix is what a deployed sandbox has', () => {
  expect(SANDBOX_QUEUE_PREFIX).toBe('sandbox-');
});
