import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { commandDecoder } from '../../queues/decode-command.ts';
import { consumeGatewayCommands } from '../../queues/gateway-commands.ts';
import { consumeBatch } from '../../queues/index.ts';
import { consumeNotifications } from '../../queues/notifications.ts';
import { consumePaymentEvents } from '../../queues/payment-events.ts';
import { consumeWalletCommands } from '../../queues/wallet-commands.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { deliver, EXAMPLES, freshPaymentId, message, Recorder } from './messages.ts';

const decode = commandDecoder(['orchestrator.wallet.debit', 'orchestrator.wallet.release_funds']);
const DEBIT = message('orchestrator.wallet.debit', freshPaymentId());

describe('a command message', () => {
  test('of a type that the consumer takes is decoded', () => {
    expect(decode(DEBIT)).toEqual({ ok: true, body: DEBIT });
  });

  test.each([
    ['no event', 'text', /^malformed: \//],
    ['nothing', undefined, /^malformed: \//],
    ['an event with a broken payload', { ...DEBIT, payload: {} }, /^malformed: .*\/wallet_id/],
    [
      'an event of an unknown type',
      { ...DEBIT, event_type: 'orchestrator.wallet.burn' },
      /^unknown_type: orchestrator/,
    ],
    ['an event of an unknown version', { ...DEBIT, event_version: '9.0' }, /^unknown_version: .* 9.0$/],
    ['an event of another queue', EXAMPLES[0], /^not for this queue: payment.created$/],
  ])('that is %s is poison, named by what it is', (_what, body, reason) => {
    expect(decode(body)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });
});

describe('a consumer', () => {
  test.each([
    ['wallet-commands', consumeWalletCommands, /^orchestrator\.wallet\./],
    ['gateway-commands', consumeGatewayCommands, /^orchestrator\.gateway\./],
    ['notifications', consumeNotifications, /^orchestrator\.notify\./],
    ['payment-events', consumePaymentEvents, /^$/],
  ] as const)('of %s buries every other event of the catalogue', async (queue, consumer, own) => {
    const foreign = EXAMPLES.filter((event) => !own.test(event.event_type));
    const recorder = new Recorder();
    const settled = await deliver(consumer, queue, foreign, recorder.env);
    expect(settled.acked.length).toBe(foreign.length);
    expect(recorder.dead.map((dead) => dead.body)).toEqual(foreign);
    for (const { queue: from, reason } of recorder.dead) {
      expect(from).toBe(queue);
      expect(reason).toMatch(/^(not for this queue|malformed): /);
    }
  });
});

describe('a queue', () => {
  test.each([
    ...['wallet-commands', 'gateway-commands', 'notifications', 'payment-events'].flatMap((queue) => [
      queue,
      `${queue}-dlq`,
    ]),
    'dead-letters',
  ])('%s has its consumer', async (queue) => {
    expect(await deliver(consumeBatch, queue, [], env)).toEqual({ acked: [], retried: {} });
  });

  test.each(['wallet-commands-dlq-dlq', ''])('%j without a consumer is a bug, said loudly', async (queue) => {
    let thrown: unknown;
    try {
      await deliver(consumeBatch, queue, ['lost?'], env);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvariantError);
  });
});
