import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { createPayment, openWallet, terminal } from '../support/payments.ts';
import { BY, inState, type Move, pass, recorded, saga } from '../support/stuck.ts';
import { jsonOf, post, problemOf, send } from './client.ts';

interface Row {
  id: string;
  kind: string;
  saga_state: string;
  attention: string | null;
  stuck: boolean;
}
interface Page {
  data: Row[];
  next_cursor: string | null;
}

/** A row of the record that was last heard of so long ago. */
async function row(name: string, state: string, ageMs: number, more: { attention?: string; merchant?: string } = {}) {
  const id = publicIdFromHex('pay_', env.PAYMENT_SAGA.idFromName(name).toString());
  const updatedAtMs = Date.now() - ageMs;
  await env.DB.prepare(
    `INSERT INTO payments
       (id, merchant, mode, wallet_id, service_id, method, status, created_at_ms, updated_at_ms, sequence, body, attention)
     VALUES (?, ?, 'sandbox', 'w', 's', 'balance', ?, ?, ?, 1, ?, ?)`,
  )
    .bind(
      id,
      more.merchant ?? 'default',
      state === 'failed' ? 'FAILED' : 'PENDING',
      updatedAtMs,
      updatedAtMs,
      JSON.stringify({ saga_state: state }),
      more.attention ?? null,
    )
    .run();
  return id;
}

const list = async (query = ''): Promise<Page> => jsonOf<Page>(await send(`/ops/sagas${query}`), 200);
const ids = async (query = '') => (await list(query)).data.map(({ id }) => id);

describe('the list of sagas', () => {
  let late: string;
  let unknown: string;
  let stuck: string;
  let running: string;

  beforeAll(async () => {
    late = await row('late', 'failed', 3 * HOUR_MS, { attention: 'late_authorization_in_force' });
    unknown = await row('unknown', 'needs_attention', 2 * HOUR_MS, { attention: 'authorization_unknown' });
    stuck = await row('stuck', 'debiting', HOUR_MS);
    running = await row('running', 'debiting', MINUTE_MS);
    await row('foreign', 'debiting', HOUR_MS, { merchant: 'another' });
    await row('ended', 'failed', HOUR_MS);
  });

  test('has those that need somebody, whoever has not been heard of for longest first', async () => {
    const { data } = await list();
    expect(data).toEqual([
      expect.objectContaining({ id: late, status: 'FAILED', attention: 'late_authorization_in_force', stuck: false }),
      expect.objectContaining({ id: unknown, saga_state: 'needs_attention', attention: 'authorization_unknown' }),
      expect.objectContaining({ id: stuck, kind: 'payment', payment_id: stuck, attention: null, stuck: true }),
    ]);
  });

  test('asked for a state, a reason, a time or a kind, has those', async () => {
    expect(await ids('?state=debiting')).toEqual([stuck, running]);
    expect(await ids('?attention=authorization_unknown')).toEqual([unknown]);
    expect(await ids('?older_than=3000')).toEqual([late, unknown, stuck]);
    expect(await ids('?older_than=0&kind=refund')).toEqual([]);
    expect(await ids('?kind=payment')).toEqual([late, unknown, stuck]);
    expect(await ids('?state=debiting&older_than=3000')).toEqual([stuck]);
  });

  test('has pages, whose cursors are good for their filters only', async () => {
    const first = await list('?limit=2');
    expect(first.data.map(({ id }) => id)).toEqual([late, unknown]);
    const second = await list(`?limit=2&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ data: [{ id: stuck }], next_cursor: null });
    await problemOf(await send(`/ops/sagas?state=debiting&cursor=${first.next_cursor}`), 400, 'invalid_cursor');
  });

  test.each(['?state=nonsense', '?attention=x', '?kind=wallet', '?older_than=-1', '?limit=101', '?unknown=1'])(
    'refuses %s',
    async (query) => {
      await problemOf(await send(`/ops/sagas${query}`), 400, 'validation_failed');
    },
  );

  test('of sweeps is empty until one has run', async () => {
    expect(await jsonOf(await send('/ops/sweeps'), 200)).toEqual({ object: 'list', data: [], next_cursor: null });
  });
});

describe('one saga', () => {
  test('is shown with what it waits for and what is in force, and with nothing secret', async () => {
    await openWallet('ops-1', 5_000);
    const { id } = await createPayment({ wallet_id: 'ops-1', token: 'pm_sim_lost' });
    const found = await inState(id, 'authorization_unknown');
    expect(found).toMatchObject({
      status: 'PENDING',
      attention: null,
      pending: [expect.objectContaining({ command: 'lookup' })],
      in_force: { hold: 'held', charge: 'unknown', provider: 'acme', wallet_id: 'ops-1' },
    });
    expect(JSON.stringify(found)).not.toContain('pm_sim_lost');
  });

  test.each(['pay_nonsense', `pay_${'0'.repeat(43)}`, 'wal-1'])('%s is not found, and takes no move', async (id) => {
    await problemOf(await send(`/ops/sagas/${id}`), 404, 'not_found');
    await problemOf(await post(`/ops/sagas/${id}/retry`, BY), 404, 'not_found');
    await problemOf(await post(`/ops/sagas/${id}/resolve`, { ...BY, resolution: 'charged' }), 404, 'not_found');
  });
});

describe('a move', () => {
  const audited = async (id: string) =>
    (await env.DB.prepare('SELECT action FROM audit_log WHERE subject LIKE ?').bind(`${id}%`).all()).results;

  async function needingSomebody(wallet: string): Promise<string> {
    await openWallet(wallet, 5_000);
    const { id } = await createPayment({ wallet_id: wallet, token: 'pm_sim_lost' });
    await inState(id, 'authorization_unknown');
    await pass(id, SAGA_POLICIES.sandbox.lateWindowMs + HOUR_MS);
    await recorded(id, 'needs_attention');
    return id;
  }

  test('on a saga that needs nobody is refused, and is in no audit log', async () => {
    await openWallet('ops-2', 5_000);
    const { id } = await createPayment({ wallet_id: 'ops-2' });
    await terminal(id);
    const before = await saga(id);
    await problemOf(await post(`/ops/sagas/${id}/retry`, BY), 409, 'saga_not_in_attention');
    await problemOf(
      await post(`/ops/sagas/${id}/resolve`, { ...BY, resolution: 'charged' }),
      409,
      'saga_not_in_attention',
    );
    expect(await saga(id)).toMatchObject({ saga_state: before.saga_state, attention: null });
    expect(await audited(id)).toEqual([]);
  });

  test('that the reason does not take, or without who or why, changes nothing', async () => {
    const id = await needingSomebody('ops-3');
    await problemOf(
      await post(`/ops/sagas/${id}/resolve`, { ...BY, resolution: 'captured' }),
      409,
      'saga_move_not_possible',
    );
    for (const body of [{ actor: 'jane' }, { reason: 'r' }, { ...BY, resolution: 'nonsense' }, { ...BY, more: 1 }]) {
      await problemOf(await post(`/ops/sagas/${id}/resolve`, body), 400, 'validation_failed');
    }
    await problemOf(await post(`/ops/sagas/${id}/retry`, { actor: 'jane' }), 400, 'validation_failed');
    expect(await saga(id)).toMatchObject({ saga_state: 'needs_attention' });
    expect(await audited(id)).toEqual([]);
  });

  test('sent twice, or ten times at once, is made once: one debit, one fact', async () => {
    const id = await needingSomebody('ops-4');
    const body = { ...BY, resolution: 'charged' };
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => jsonOf<Move>(await post(`/ops/sagas/${id}/resolve`, body), 200)),
    );
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
    for (const { ledger_effect } of answers) {
      expect(ledger_effect).toMatchObject({ status: 'entries', entries: [{ type: 'debit', payment_id: id }] });
    }
    const { events } = await jsonOf<{ data: { event_type: string }[] }>(await send(`/payments/${id}/events`), 200).then(
      ({ data }) => ({ events: data.filter(({ event_type: type }) => type === 'payment.resolved') }),
    );
    expect(events).toHaveLength(1);
    await problemOf(await post(`/ops/sagas/${id}/retry`, BY), 409, 'saga_not_in_attention');
  });

  test('is not made when it cannot be written into the audit log', async () => {
    const id = await needingSomebody('ops-5');
    await env.DB.prepare('ALTER TABLE audit_log RENAME TO audit_log_away').run();
    const response = await post(`/ops/sagas/${id}/resolve`, { ...BY, resolution: 'charged' });
    await env.DB.prepare('ALTER TABLE audit_log_away RENAME TO audit_log').run();
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect(await saga(id)).toMatchObject({ saga_state: 'needs_attention' });
  });
});
