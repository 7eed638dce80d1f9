import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { consumeWalletCommands } from '../../queues/wallet-commands.ts';
import { walletObjectName } from '../../src/domain/ids.ts';
import type { WalletCommand, WalletOutcome } from '../../src/domain/wallet-rpc.ts';
import { withoutSpent } from '../support/spent.ts';
import { bug, deliver, freshPaymentId, message, overloaded, Recorder, transient } from './messages.ts';

const QUEUE = 'wallet-commands';
const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

type Execute = (
  scope: unknown,
  walletId: string,
  commands: readonly WalletCommand[],
) => Promise<readonly WalletOutcome[]>;

/** Wallets that answer what `execute` says, by the name of the object that was asked. */
function wallets(calls: { name: string; commands: readonly WalletCommand[] }[], execute: Execute): Partial<Env> {
  const getByName = (name: string) => ({
    execute: (scope: unknown, walletId: string, commands: readonly WalletCommand[]) => {
      calls.push({ name, commands });
      return execute(scope, walletId, commands);
    },
  });
  return { WALLET: { getByName } as unknown as Env['WALLET'] };
}

const applied: Execute = async (_scope, _id, commands) =>
  commands.map(({ effectId }, index) => ({ effectId, kind: 'applied', version: index + 2 }));

describe('a wallet command', () => {
  test('is one call per wallet, in order; wallets of another merchant or mode are other wallets', async () => {
    const calls: { name: string; commands: readonly WalletCommand[] }[] = [];
    const recorder = new Recorder(wallets(calls, applied));
    const command = (wallet_id: string, metadata = {}) => {
      const event = message('orchestrator.wallet.release_funds', freshPaymentId(), { wallet_id });
      return { ...event, metadata: { ...event.metadata, ...metadata } };
    };
    const bodies = [
      command('w1'),
      command('w2'),
      command('w1'),
      command('w1', { merchant: 'other' }),
      command('w1', { mode: 'live' }),
    ];
    const settled = await deliver(consumeWalletCommands, QUEUE, bodies, recorder.env);
    expect(settled.acked.length).toBe(5);
    expect(calls.map(({ name, commands }) => [name, commands.length])).toEqual([
      ['default|sandbox|w1', 2],
      ['default|sandbox|w2', 1],
      ['other|sandbox|w1', 1],
      ['default|live|w1', 1],
    ]);
    expect(calls[0]?.commands.map(({ effectId }) => effectId)).toEqual(
      [bodies[0], bodies[2]].map((event) => event?.metadata.message_deduplication_id),
    );
  });

  test.each([
    ['orchestrator.wallet.hold_funds', 'wallet.hold_funds', 'HELD'],
    ['orchestrator.wallet.debit', 'wallet.debit', 'DEBITED'],
    ['orchestrator.wallet.release_funds', 'wallet.release_funds', 'RELEASED'],
  ] as const)('%s is reported to its saga as %s or its refusal', async (type, fact, status) => {
    const id = freshPaymentId();
    const outcomes: WalletOutcome[] = [
      { effectId: 'x', kind: 'applied', version: 7 },
      { effectId: 'x', kind: 'refused', reason: 'insufficient_funds' },
    ];
    const base = { payment_id: id, wallet_id: 'wal-1234', amount: 1230, currency: 'USD' };
    const facts = [
      { event_type: fact, payload: { ...base, status, wallet_version: 7 } },
      { event_type: `${fact}_failed`, payload: { ...base, status: 'REFUSED', reason: 'insufficient_funds' } },
    ];
    for (const [index, outcome] of outcomes.entries()) {
      const recorder = new Recorder(wallets([], async () => [outcome]));
      const settled = await deliver(consumeWalletCommands, QUEUE, [message(type, id)], recorder.env);
      // A refusal is an outcome: acknowledged like any other.
      expect(settled).toEqual({ acked: ['m1'], retried: {} });
      // A read and a delete, and the batch: all of it this message's. Its write is its sender's.
      const spent = { worker_requests: 1, queue_operations: 2 };
      expect(recorder.delivered).toEqual([
        { paymentId: id, outcomes: [{ effect_id: `${type}.${id}`, fact: facts[index], spent }] },
      ]);
    }
  });

  test('brings what is for the sandbox only to sandbox wallets', async () => {
    for (const mode of ['sandbox', 'live'] as const) {
      const calls: { name: string; commands: readonly WalletCommand[] }[] = [];
      const recorder = new Recorder(wallets(calls, applied));
      const bodies = (['orchestrator.wallet.hold_funds', 'orchestrator.wallet.debit'] as const).map((type) => {
        const event = message(type, freshPaymentId());
        return { ...event, metadata: { ...event.metadata, mode } };
      });
      await deliver(consumeWalletCommands, QUEUE, bodies, recorder.env);
      const [hold, debit] = calls[0]?.commands ?? [];
      expect(hold).toMatchObject({ type: 'hold', expiresAtMs: Date.UTC(2026, 0, 8), amountMinor: 1230 });
      expect(hold && 'openWithMinor' in hold).toBe(mode === 'sandbox');
      expect(debit && 'simulate' in debit).toBe(mode === 'sandbox');
    }
  });

  test('whose report fails is retried, although its wallet has acted; its neighbours stand', async () => {
    const recorder = new Recorder(wallets([], applied));
    const [broken, busy, buggy, other] = [freshPaymentId(), freshPaymentId(), freshPaymentId(), freshPaymentId()];
    recorder.breakSaga(broken, transient);
    recorder.breakSaga(busy, overloaded);
    recorder.breakSaga(buggy, bug);
    const bodies = [broken, busy, buggy, other].map((id) => message('orchestrator.wallet.debit', id));
    const settled = await deliver(consumeWalletCommands, QUEUE, bodies, recorder.env);
    expect(settled).toEqual({ acked: ['m3', 'm4'], retried: { m1: 1, m2: expect.any(Number) } });
    expect(settled.retried.m2).toBeGreaterThanOrEqual(5);
    expect(recorder.dead.map(({ body }) => body)).toEqual([bodies[2]]);
  });

  test.each([
    ['that has never begun', (recorder: Recorder, id: string) => recorder.forgetSaga(id), freshPaymentId],
    ['that this namespace did not mint', () => undefined, () => `pay_${'1'.repeat(43)}`],
  ])('of a saga %s is dead, and never silently dropped', async (_what, prepare, makeId) => {
    const recorder = new Recorder(wallets([], applied));
    const id = makeId();
    prepare(recorder, id);
    const settled = await deliver(
      consumeWalletCommands,
      QUEUE,
      [message('orchestrator.wallet.debit', id)],
      recorder.env,
    );
    expect(settled).toEqual({ acked: ['m1'], retried: {} });
    expect(recorder.dead).toMatchObject([{ reason: 'no saga has this id' }]);
  });

  test('without an outcome is dead: the wallet answers every command', async () => {
    const recorder = new Recorder(wallets([], async () => []));
    await deliver(consumeWalletCommands, QUEUE, [message('orchestrator.wallet.debit', freshPaymentId())], recorder.env);
    expect(recorder.dead).toMatchObject([{ reason: expect.stringContaining('one_outcome_per_command') }]);
  });
});

describe('with the real wallet', () => {
  test('a hold delivered three times is held once, and reported the same each time', async () => {
    const recorder = new Recorder();
    const id = freshPaymentId();
    const hold = message('orchestrator.wallet.hold_funds', id, {
      wallet_id: 'wal-real',
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await deliver(consumeWalletCommands, QUEUE, [hold, hold], recorder.env);
    await deliver(consumeWalletCommands, QUEUE, [hold], recorder.env);
    const read = await env.WALLET.getByName(walletObjectName(SCOPE, 'wal-real')).read();
    expect(read).toMatchObject({
      kind: 'found',
      wallet: { held: 1230, holds_total: 1, available: 100_000_000 - 1230 },
    });
    expect(recorder.delivered.length).toBe(3);
    expect(new Set(recorder.delivered.map(({ outcomes }) => JSON.stringify(withoutSpent(outcomes)))).size).toBe(1);
  });
});
