/** The Worker under test: the real one, with a sieve before its consumers that can lose messages. */
import worker from '../../src/index.ts';
import { isLost } from './losses.ts';

export * from '../../src/index.ts';

export default {
  ...worker,
  async queue(batch, env) {
    const kept = batch.messages.filter((message) => {
      const lost = isLost({ queue: batch.queue, body: message.body });
      if (lost) message.ack();
      return !lost;
    });
    if (kept.length > 0) await worker.queue({ ...batch, queue: batch.queue, messages: kept }, env);
  },
} satisfies ExportedHandler<Env>;
