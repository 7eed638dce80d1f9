/**
 * P4 against the object itself: real SQLite, evictions, alarms and calls that a bug undoes, compared step by step with the
 * same naive wallet that the pure ledger is compared with. The seed in the test's name, put in place of SEED, repeats a run.
 */
import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { walletObjectName } from '../../src/domain/ids.ts';
import { DAY_MS } from '../../src/domain/limits.ts';
import type { Deposit, WalletCommand } from '../../src/domain/wallet-rpc.ts';
import { Model, Step, type Subject, walletSteps } from '../domain/ledger/model.ts';
import { withoutSpent } from '../support/spent.ts';
import { audit } from './wallet-audit.ts';

const SEED = Date.now() % 2 ** 31;
const RUNS = 120;
const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

/** The object. Its clock is the model's, a year ahead of the real one, so that no alarm rings unless a step says so. */
class ObjectSubject implements Subject {
  readonly stub;
  readonly #walletId: string;

  constructor(run: number) {
    this.#walletId = `model-wallet-${run}`;
    this.stub = env.WALLET.getByName(walletObjectName(SCOPE, this.#walletId));
  }

  async execute(commands: readonly WalletCommand[], nowMs: number) {
    vi.setSystemTime(nowMs);
    return withoutSpent(await this.stub.execute(SCOPE, this.#walletId, commands));
  }
  async open(currency: string, nowMs: number) {
    vi.setSystemTime(nowMs);
    return (await this.stub.open(SCOPE, this.#walletId, currency)).kind;
  }
  async deposit(deposit: Deposit, nowMs: number) {
    vi.setSystemTime(nowMs);
    const result = await this.stub.deposit(deposit);
    if ('entry' in result) return `${result.kind} ${result.entry.sequence}`;
    return result.kind === 'refused' ? result.reason : result.kind;
  }
  async balances() {
    const read = await this.stub.read();
    if (read.kind === 'not_found') return null;
    const { available, held, settled, external, version, holds } = read.wallet;
    return {
      available,
      held,
      settled,
      external,
      version,
      open: Object.fromEntries(holds.map((hold) => [hold.payment_id, hold.amount])),
    };
  }
  async setFrozen(frozen: boolean) {
    const result = await this.stub.setFrozen(frozen);
    expect(result.kind === 'found' && result.wallet.frozen).toBe(frozen);
  }
  async evict() {
    // Only an object that runs can be evicted, and it may have been a moment ago.
    await this.stub.read();
    await evictDurableObject(this.stub);
  }
}

/** What happens to an object and not to a ledger. */
function mishaps(tally: Map<string, number>): fc.Arbitrary<fc.AsyncCommand<Model, Subject>>[] {
  const count = (name: string) => tally.set(name, (tally.get(name) ?? 0) + 1);
  const step = (name: string, act: (model: Model, subject: ObjectSubject) => Promise<void>) =>
    fc.constant(
      new Step(name, async (model, subject) => {
        await act(model, subject as ObjectSubject);
        count(name);
      }),
    );
  return [
    step('evicted', async (_, subject) => {
      await subject.evict();
    }),
    step('alarm rang', async (model, { stub }) => {
      vi.setSystemTime(model.nowMs);
      const rang = await runDurableObjectAlarm(stub);
      // No alarm is set: then no hold may be open, or it would never be given back.
      if (rang) model.expire();
      else expect(model.openPaymentIds()).toEqual([]);
    }),
    step('undone by a bug', async (model, subject) => {
      const base = { effectId: 'undone', paymentId: 'pay_undone', amountMinor: 1, currency: model.currency ?? 'USD' };
      const good: WalletCommand = { ...base, type: 'hold', expiresAtMs: model.nowMs };
      const bug: WalletCommand = { ...good, effectId: 'bug', amountMinor: 0 };
      const told = await subject.execute([good, bug], model.nowMs).then(
        () => 'no error',
        (error: Error) => error.name,
      );
      expect(told).toBe('InvariantError');
    }),
  ];
}

afterEach(() => {
  vi.useRealTimers();
});

// Thousands of commits, one after the other: a busy machine takes more than a minute.
test(`the object behaves as a naive wallet does, and stores a sound ledger (${RUNS} runs, seed ${SEED})`, {
  timeout: 300_000,
}, async () => {
  const tally = new Map<string, number>();
  const startMs = Date.now() + 365 * DAY_MS;
  vi.useFakeTimers({ toFake: ['Date'], now: startMs });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.commands([...walletSteps([0, 5, 50, 100_000], true), ...mishaps(tally)], { maxCommands: 60, size: 'max' }),
      async (commands) => {
        run += 1;
        const subject = new ObjectSubject(run);
        await fc.asyncModelRun(() => ({ model: new Model(startMs, tally), real: subject }), commands);
        if ((await subject.balances()) !== null) expect(await audit(subject.stub)).toEqual([]);
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  const moved = [...tally].reduce((sum, [outcome, count]) => sum + (outcome.includes(' ') ? count : 0), 0);
  console.info(
    `P4 object: runs=${RUNS} mean=${(moved / RUNS).toFixed(1)} seed=${SEED} ${JSON.stringify([...tally].sort())}`,
  );
  const met = ['hold applied', 'debit applied', 'release applied', 'credit applied', 'reverse applied', 'expire'];
  const refused = ['hold wallet_frozen', 'deposit wallet_frozen'];
  const mishap = ['evicted', 'alarm rang', 'undone by a bug'];
  for (const outcome of [...met, ...refused, ...mishap])
    expect(tally.get(outcome) ?? 0, outcome).toBeGreaterThan(RUNS / 30);
});
