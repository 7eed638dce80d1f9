import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import { type Problem, post, send } from './client.ts';

interface Breaker {
  provider: string;
  operation: string;
  state: string;
}

const force = (provider: string, body: object) => post(`/ops/breakers/${provider}`, body);
const WORD = { actor: 'jane', reason: 'maintenance' };

async function states(provider: string): Promise<Set<string>> {
  const { data } = await (await send('/ops/breakers')).json<{ data: Breaker[] }>();
  return new Set(data.filter((each) => each.provider === provider).map((each) => each.state));
}

afterEach(async () => {
  await env.PROVIDER_HEALTH.getByName('borealis').force(null);
});

describe('an operator', () => {
  test('sees every breaker of every provider', async () => {
    const { data } = await (await send('/ops/breakers')).json<{ data: Breaker[] }>();
    expect(new Set(data.map((each) => each.provider))).toEqual(new Set(['acme', 'borealis']));
    expect(data).toHaveLength(10);
  });

  test('forces a breaker open and closed, and takes the word back; each is in the audit log', async () => {
    for (const [state, shown] of [
      ['open', 'forced_open'],
      ['closed', 'forced_closed'],
      ['automatic', 'closed'],
    ]) {
      expect((await force('borealis', { state, ...WORD })).status).toBe(200);
      expect(await states('borealis')).toEqual(new Set([shown]));
    }
    const { results } = await env.DB.prepare('SELECT actor, action, subject, reason FROM audit_log ORDER BY id').all();
    expect(results).toEqual(
      ['open', 'closed', 'automatic'].map((state) => ({
        actor: 'jane',
        action: 'breaker.force',
        subject: `borealis.all ${state}`,
        reason: 'maintenance',
      })),
    );
  });

  test('forces one operation alone', async () => {
    const { data } = await (await force('borealis', { state: 'open', operation: 'refund', ...WORD })).json<{
      data: Breaker[];
    }>();
    expect(data.filter((each) => each.state === 'forced_open').map((each) => each.operation)).toEqual(['refund']);
  });

  test('who says neither who nor why changes nothing', async () => {
    for (const body of [{ state: 'open' }, { state: 'open', actor: 'jane' }, { state: 'open', reason: 'r' }]) {
      expect((await force('borealis', body)).status).toBe(400);
    }
    expect(await states('borealis')).toEqual(new Set(['closed']));
  });

  test('finds no breaker of a provider that does not exist', async () => {
    const response = await force('nobody', { state: 'open', ...WORD });
    expect((await response.json<Problem>()).code).toBe('not_found');
  });
});
