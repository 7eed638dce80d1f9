/** The Worker under test: the real one, with a sieve before its consumers that can lose and kill messages. */
import worker from '../../src/index.ts';
import { isKilled, isLost } from './losses.ts';

export * from '../../src/index.ts';

export default {
  ...worker,
  async queue(batch, env) {
    const kept = batch.messages.filter((message) => {
      const delivery = { id: message.id, queue: batch.queue, body: message.body };
      if (isLost(delivery)) message.ack();
      else if (isKilled(delivery)) message.retry({ delaySeconds: 0 });
      else return true;
      return false;
    });
    if (kept.length > 0) await worker.queue({ ...batch, queue: batch.queue, messages: kept }, env);
  },
} satisfies ExportedHandler<Env>;
