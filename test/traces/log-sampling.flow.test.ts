// Of a payment whose trace is not sampled, the log tells the request and what is out of the ordinary; of one that is, all.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { freshKey, postPayment, terminal, until } from '../support/payments.ts';
import { tellNobody, tellSomebody } from '../support/webhooks.ts';

const lines: Record<string, unknown>[] = [];

beforeAll(() => tellSomebody());
afterAll(tellNobody);
beforeEach(() => {
  lines.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(JSON.parse(line)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const CARD = { wallet_id: 'none', method: 'credit_card' };

async function paid(token: string, flags: string): Promise<string> {
  const traceparent = `00-${crypto.randomUUID().replaceAll('-', '')}-b7ad6b7169203331-${flags}`;
  const { id } = await (await postPayment({ ...CARD, token }, freshKey(), { traceparent })).json<{ id: string }>();
  await terminal(id);
  return id;
}

/** The names of the lines about a payment, each once, in the order of the alphabet. */
function told(id: string): string[] {
  const about = lines.filter((line) => JSON.stringify(line).includes(id));
  return [...new Set(about.map(({ event }) => String(event)))].sort();
}

test('a sampled payment is told whole', async () => {
  const id = await paid('pm_card_visa', '01');
  await until(
    async () => told(id),
    (events) => events.includes('notification.taken_over'),
  );
  expect(told(id)).toEqual(['gateway.called', 'http.request', 'notification.taken_over', 'saga.committed']);
  expect(lines.map(({ event }) => event)).toContain('queue.consumed');
});

test('of one that is not, the request alone', async () => {
  const id = await paid('pm_card_visa', '00');
  const after = await paid('pm_card_visa', '01');
  await until(
    async () => told(after),
    (events) => events.includes('notification.taken_over'),
  );
  expect(told(id)).toEqual(['http.request']);
});

test('and an answer of a provider that is not known, whoever samples', async () => {
  const id = await paid('pm_sim_timeout_after_success', '00');
  expect(told(id)).toEqual(['gateway.called', 'http.request']);
  expect(lines).toContainEqual(expect.objectContaining({ event: 'gateway.called', gateway_status: 'UNKNOWN' }));
});
