// What a collector hears: the whole trace of a payment, of one that is compensated, and of a refund; and of others nothing.
import { afterEach, describe, expect, test } from 'vitest';
import { SPAN_ATTRIBUTES } from '../../src/domain/tracing/span.ts';
import { attributeOf, type CollectedSpan, exportsHeard, orphansOf, spansOf, treeOf } from '../support/collector.ts';
import { call, freshKey, json, openWallet, postPayment, terminal, until } from '../support/payments.ts';
import { Receiver } from '../support/receiver.ts';
import { deleteEndpoints, makeEndpoint, post } from '../support/webhooks.ts';

const CALLER_SPAN = 'b7ad6b7169203331';
const SECRETS = { token: 'pm_card_visa', key: 'a-key-that-nobody-may-see', reference: 'a-reference-of-theirs' };

afterEach(deleteEndpoints);

function freshTrace(flags = '01'): { traceId: string; traceparent: string } {
  const traceId = crypto.randomUUID().replaceAll('-', '');
  return { traceId, traceparent: `00-${traceId}-${CALLER_SPAN}-${flags}` };
}

type Spans = ReadonlyMap<string, CollectedSpan>;

/** The spans of a trace, once they are as many as its tree has lines, and checked as every trace must be. */
async function whole(traceId: string, lines: number): Promise<Spans> {
  const spans = await until(
    () => spansOf(traceId),
    (found) => found.size >= lines && orphansOf(found, CALLER_SPAN).length === 0,
  );
  expect(orphansOf(spans, CALLER_SPAN)).toEqual([]);
  for (const span of spans.values()) {
    expect(span.traceId).toBe(traceId);
    expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), `${span.name} has a length`).toBe(true);
    for (const { key } of [...span.attributes, ...span.events.flatMap((event) => event.attributes)]) {
      expect(SPAN_ATTRIBUTES).toContain(key);
    }
  }
  return spans;
}

function named(spans: Spans, name: string): CollectedSpan {
  const found = [...spans.values()].find((span) => span.name === name);
  if (found === undefined) throw new Error(`no span ${name}`);
  return found;
}

async function webhooks(): Promise<Receiver> {
  const receiver = new Receiver();
  await makeEndpoint({ url: receiver.url });
  return receiver;
}

const COMPLETED = [
  'server POST /payments: 202',
  '  internal saga payment: payment.completed',
  '    internal orchestrator.wallet.hold_funds: wallet.hold_funds',
  '      consumer process wallet-commands: ack',
  '    internal orchestrator.gateway.authorize: payment_gateway.response AUTHORIZED acme',
  '      consumer process gateway-commands: ack',
  '        client authorize acme: approved acme',
  '    internal orchestrator.wallet.debit: wallet.debit',
  '      consumer process wallet-commands: ack',
  '    internal orchestrator.notify.payment_success',
  '      consumer process notifications: ack',
  '      client webhook attempt: 200 payment.completed',
];

describe('one trace', () => {
  test('spans a payment that completes, from the request to the webhook', async () => {
    await openWallet('traced', 5_000);
    await webhooks();
    const { traceId, traceparent } = freshTrace();
    const response = await postPayment({ wallet_id: 'traced', reference: SECRETS.reference }, SECRETS.key, {
      traceparent,
    });
    const spans = await whole(traceId, COMPLETED.length);
    expect(treeOf(spans, CALLER_SPAN)).toEqual(COMPLETED);
    // The span of the request is the one that the client was told of.
    expect(response.headers.get('traceparent')?.slice(36, 52)).toBe(named(spans, 'POST /payments').spanId);
  });

  test('spans a payment that is compensated', async () => {
    await openWallet('compensated', 5_000);
    const { traceId, traceparent } = freshTrace();
    await postPayment({ wallet_id: 'compensated', token: 'pm_sim_debit_fail' }, freshKey(), { traceparent });
    const tree = [
      'server POST /payments: 202',
      '  internal saga payment: payment.failed debit_failed',
      '    internal orchestrator.wallet.hold_funds: wallet.hold_funds',
      '      consumer process wallet-commands: ack',
      '    internal orchestrator.gateway.authorize: payment_gateway.response AUTHORIZED acme',
      '      consumer process gateway-commands: ack',
      '        client authorize acme: approved acme',
      '    internal orchestrator.wallet.debit: wallet.debit_failed',
      '      consumer process wallet-commands: ack',
      '    internal orchestrator.gateway.unauthorize: payment_gateway.response VOIDED acme',
      '      consumer process gateway-commands: ack',
      '        client unauthorize acme: voided acme',
      '    internal orchestrator.wallet.release_funds: wallet.release_funds',
      '      consumer process wallet-commands: ack',
      // Nobody is to be told.
      '    internal orchestrator.notify.payment_failure',
    ];
    expect(treeOf(await whole(traceId, tree.length), CALLER_SPAN)).toEqual(tree);
  });

  test('spans a refund', async () => {
    await openWallet('refunded', 5_000);
    const paid = await postPayment({ wallet_id: 'refunded' });
    const { id } = await paid.json<{ id: string }>();
    expect((await terminal(id)).status).toBe('COMPLETED');
    await webhooks();
    const { traceId, traceparent } = freshTrace();
    const headers = { traceparent, 'idempotency-key': freshKey('refund') };
    const refund = await post('/refunds', { payment_id: id }, headers);
    expect(refund.status).toBe(202);
    const tree = [
      'server POST /refunds: 202',
      '  internal saga refund: refund.completed',
      '    internal orchestrator.payment.reserve_refund: payment.refund_reserved acme',
      '    internal orchestrator.gateway.refund: payment_gateway.response REFUNDED acme',
      '      consumer process gateway-commands: ack',
      '        client refund acme: refunded acme',
      '    internal orchestrator.wallet.credit: wallet.credit',
      '      consumer process wallet-commands: ack',
      '    internal orchestrator.payment.settle_refund: payment.refund_settled',
      '    internal orchestrator.notify.refund_success',
      '      consumer process notifications: ack',
      '      client webhook attempt: 200 refund.completed',
    ];
    expect(treeOf(await whole(traceId, tree.length), CALLER_SPAN)).toEqual(tree);
  });

  test('shows the calls that a failover makes, and which failed', async () => {
    const { traceId, traceparent } = freshTrace();
    const body = { wallet_id: 'none', method: 'credit_card', token: 'pm_sim_primary_down' };
    await postPayment(body, freshKey(), { traceparent });
    const spans = await until(
      () => spansOf(traceId),
      (found) => [...found.values()].some(({ name }) => name === 'saga payment'),
    );
    const calls = [...spans.values()].filter(({ name }) => name.startsWith('authorize '));
    expect(calls.at(-1)).toMatchObject({ name: 'authorize borealis', status: {} });
    expect(calls.slice(0, -1).every(({ name, status }) => name === 'authorize acme' && status.code === 2)).toBe(true);
    expect(orphansOf(spans, CALLER_SPAN)).toEqual([]);
  });
});

test('a request that is refused is a span by itself, with its code', async () => {
  const { traceId, traceparent } = freshTrace();
  await call('/payments/nothing', { headers: { traceparent } });
  const [span] = (await whole(traceId, 1)).values();
  expect(span && attributeOf(span, 'error.type')).toBe('not_found');
});

test('what is not sampled exports nothing: by the caller, and by the ratio', async () => {
  await openWallet('unsampled', 5_000);
  const { traceId, traceparent } = freshTrace('00');
  const told = await postPayment({ wallet_id: 'unsampled' }, freshKey(), { traceparent });
  const anew = await postPayment({ wallet_id: 'unsampled' });
  expect(anew.headers.get('traceparent')).toMatch(/-00$/);
  const ids = [traceId, anew.headers.get('traceparent')?.slice(3, 35) ?? ''];
  for (const response of [told, anew]) {
    const { id } = await response.json<{ id: string }>();
    await terminal(id);
    // Recorded: what would have been exported has been.
    await until(
      () => json<{ data: { id: string; status: string }[] }>('/payments?wallet_id=unsampled'),
      ({ data }) => data.some((payment) => payment.id === id && payment.status === 'COMPLETED'),
    );
  }
  // A sampled request after them has arrived: they would have, too.
  const after = freshTrace();
  await call('/payments', { headers: { traceparent: after.traceparent } });
  await whole(after.traceId, 1);
  for (const id of ids) expect((await spansOf(id)).size).toBe(0);
});

test('no secret and no text of a client is exported; the collector is told who sends', async () => {
  await webhooks();
  const { traceId, traceparent } = freshTrace();
  const key = `${SECRETS.key}-2`;
  const body = { wallet_id: 'none', method: 'credit_card', token: SECRETS.token, reference: SECRETS.reference };
  await postPayment(body, key, { traceparent });
  await until(
    () => spansOf(traceId),
    (found) => [...found.values()].some(({ name }) => name === 'process notifications'),
  );
  const heard = await exportsHeard();
  const text = heard.map((each) => each.body).join('\n');
  for (const secret of [...Object.values(SECRETS), 'collector-secret', 'pm_sim_', 'sk_', 'whsec_']) {
    expect(text).not.toContain(secret);
  }
  expect(heard.every(({ headers }) => headers.authorization === 'Bearer collector-secret')).toBe(true);
});
