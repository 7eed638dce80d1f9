// A collector that is not there, or never answers, changes nothing for a payment. Each of the two is a project of its own
// (vitest.config.ts): an environment has one collector.
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ERROR_TEXT_LENGTH_MAX } from '../../../src/domain/limits.ts';
import { postPayment, terminal, until } from '../../support/payments.ts';
import { Receiver } from '../../support/receiver.ts';

const isSilent = env.OTEL_EXPORTER_OTLP_ENDPOINT?.endsWith('/silent') === true;
const lines: string[] = [];

beforeEach(async () => {
  if (isSilent) await new Receiver('silent').answer({ does: 'hang' });
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const failures = () => lines.filter((line) => line.includes('trace.export'));

test('payments complete while it does not answer, and one bounded line says so', async () => {
  const body = { wallet_id: 'none', method: 'credit_card', token: 'pm_card_visa' };
  const pay = async () => {
    const response = await postPayment(body);
    expect(response.headers.get('traceparent')).toMatch(/-01$/);
    const { id } = await response.json<{ id: string }>();
    expect((await terminal(id)).status).toBe('COMPLETED');
  };
  await pay();
  // Nothing has waited for the export of the request, nor of any message: it has not even given up.
  if (isSilent) expect(failures()).toEqual([]);
  await Promise.all(Array.from({ length: 5 }, pay));
  await until(
    async () => failures(),
    (found) => found.length > 0,
  );
  await pay();
  expect(failures()).toHaveLength(1);
  const [line = ''] = failures();
  expect(JSON.parse(line)).toEqual({
    event: 'trace.export_failed',
    code: isSilent ? 'timeout' : 'connection_failed',
    count: expect.any(Number),
    delay_seconds: 30,
  });
  expect(line.length).toBeLessThan(ERROR_TEXT_LENGTH_MAX);
  if (!isSilent) return;
  // One attempt each, of what was under way; after the first that failed none.
  const attempts = (await new Receiver('silent').received()).length;
  await pay();
  expect((await new Receiver('silent').received()).length).toBe(attempts);
});
