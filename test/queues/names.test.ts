/** A sandbox that is deployed beside live has queues of other names: its batches find their consumers all the same. */
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { consumeBatch } from '../../queues/index.ts';
import type { DeadMessage } from '../../src/domain/messages.ts';
import { until } from '../support/payments.ts';

const dead: DeadMessage = {
  kind: 'dead_message',
  message_id: 'of-a-name',
  queue: 'wallet-commands',
  reason: 'test',
  body: 1,
};

test.each(['sandbox-dead-letters', 'sandbox-wallet-commands-dlq', 'wallet-commands-dlq'])(
  '%s is consumed',
  async (queue) => {
    const body = queue.endsWith('-dlq') ? { some: 'command' } : dead;
    const batch = createMessageBatch(queue, [{ id: queue, timestamp: new Date(), attempts: 1, body }]);
    const context = createExecutionContext();
    await consumeBatch(batch, env);
    const { explicitAcks } = await getQueueResult(batch, context);
    expect(explicitAcks).toEqual([queue]);
    const id = queue.endsWith('-dlq') ? queue : 'of-a-name';
    const row = () => env.DB.prepare('SELECT queue FROM dead_letters WHERE id = ?').bind(id).first<{ queue: string }>();
    expect((await until(row, (found) => found !== null))?.queue).toBe('wallet-commands');
  },
);

test('a name that only looks so is nobody’s', async () => {
  const batch = createMessageBatch('sandbox-sandbox-notifications', []);
  await expect((async () => consumeBatch(batch, env))()).rejects.toThrow('queue_has_consumer');
});
