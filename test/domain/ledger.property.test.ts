/**
 * P4: whatever is asked of the ledger, in whatever order, a naive wallet answers the same and has the same balances; and
 * afterwards its entries replay to what is stored. HOLDFAST_SEED repeats a run, HOLDFAST_RUNS makes it longer.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { executeCommands, executeDeposit, openWallet } from '../../src/domain/ledger/execute.ts';
import { verifyLedger } from '../../src/domain/ledger/replay.ts';
import { MemoryStore } from './ledger/memory-store.ts';
import { Model, type Subject, walletSteps } from './ledger/model.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env.HOLDFAST_RUNS ?? 10_000);
/** A planted fault must show within a hundredth of the runs. */
const CANARY_RUNS_MAX = 100;
const OWNER = { scope: { merchant: 'default', mode: 'sandbox' }, walletId: 'wal-1' } as const;
const START_MS = Date.UTC(2026, 10, 24);

/** What a run must have met at least once in a hundred times, or it has tested less than it says. */
const OUTCOMES = [
  'expire',
  ...['applied', 'replayed', 'effect_id_conflict', 'wallet_not_found', 'currency_mismatch'].flatMap((outcome) =>
    ['hold', 'debit', 'release', 'credit', 'reverse'].map((type) => `${type} ${outcome}`),
  ),
  ...['debit', 'release', 'credit', 'reverse'].map((type) => `${type} applied while frozen`),
  ...['hold_exists', 'insufficient_funds', 'wallet_frozen'].map((refusal) => `hold ${refusal}`),
  ...['credit insufficient_funds', 'reverse insufficient_funds', 'debit simulated_refusal'],
  ...['hold_not_found', 'hold_resolved', 'amount_exceeds_hold'].flatMap((refusal) => [
    `debit ${refusal}`,
    `release ${refusal}`,
  ]),
  ...[
    'deposited',
    'replayed',
    'key_reused',
    'effect_id_conflict',
    'wallet_frozen',
    'currency_mismatch',
    'wallet_not_found',
  ].map((outcome) => `deposit ${outcome}`),
];

class CoreSubject implements Subject {
  readonly store: MemoryStore;

  constructor(store = new MemoryStore()) {
    this.store = store;
  }

  execute(commands: Parameters<Subject['execute']>[0], nowMs: number) {
    return executeCommands(this.store, OWNER, commands, nowMs);
  }
  open(currency: string, nowMs: number) {
    return openWallet(this.store, OWNER, currency, nowMs);
  }
  deposit(deposit: Parameters<Subject['deposit']>[0], nowMs: number) {
    const decision = executeDeposit(this.store, deposit, nowMs);
    if ('entry' in decision) return `${decision.kind} ${decision.entry.sequence}`;
    return decision.kind === 'refused' ? decision.reason : decision.kind;
  }
  balances() {
    if (this.store.wallet() === null) return null;
    const head = this.store.head();
    const open = Object.fromEntries([...this.store.holds].map(([id, hold]) => [id, hold.amountMinor]));
    const zero = { available: 0, held: 0, settled: 0, external: 0 };
    return { ...(head?.balances ?? zero), version: head?.sequence ?? 0, open };
  }
  setFrozen(frozen: boolean) {
    this.store.setFrozen(frozen);
  }
}

test(`the ledger behaves as a naive wallet does, and replays to what is stored (${RUNS} runs, seed ${SEED})`, async () => {
  const tally = new Map<string, number>();
  let steps = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.commands(walletSteps([0, 5, 50, 100_000], true), { maxCommands: 60, size: 'max' }),
      async (commands) => {
        const subject = new CoreSubject();
        const before = tallied(tally);
        await fc.asyncModelRun(() => ({ model: new Model(START_MS, tally), real: subject }), commands);
        steps += tallied(tally) - before;
        if (subject.store.wallet() === null) return;
        const { balances, violations } = verifyLedger(subject.store.stored());
        expect(violations).toEqual([]);
        expect(balances.available + balances.held + balances.settled - balances.external).toBe(0);
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  console.log(`P4 ledger: runs=${RUNS} commands=${steps} mean=${(steps / RUNS).toFixed(1)} seed=${SEED}`);
  console.log(JSON.stringify(Object.fromEntries([...tally].sort())));
  expect(OUTCOMES.filter((outcome) => (tally.get(outcome) ?? 0) < RUNS / 100)).toEqual([]);
});

/** A ledger that knows no effect again: the same id moves money twice. */
class ForgetfulOfEffects extends MemoryStore {
  override effect(): null {
    return null;
  }
  override appendEffect(): void {}
}

/** A ledger that forgets how a hold ended: a hold may be taken out again, and its refusals are other ones. */
class ForgetfulOfResolutions extends MemoryStore {
  override resolution(): null {
    return null;
  }
  override appendResolution(): void {}
}

test.each([
  ['that knows no effect again', ForgetfulOfEffects],
  ['that forgets how holds ended', ForgetfulOfResolutions],
])('P4 canary: a ledger %s is told from the naive wallet', async (_, Faulty) => {
  const checked = await fc.check(
    fc.asyncProperty(
      fc.commands(walletSteps([0, 5, 50, 100_000], true), { maxCommands: 60, size: 'max' }),
      async (commands) => {
        const setup = () => ({ model: new Model(START_MS, new Map()), real: new CoreSubject(new Faulty()) });
        await fc.asyncModelRun(setup, commands);
      },
    ),
    { numRuns: CANARY_RUNS_MAX, seed: SEED, endOnFailure: true },
  );
  expect(checked.failed).toBe(true);
});

/** Commands and deposits so far; an expiry is no command. */
function tallied(tally: ReadonlyMap<string, number>): number {
  return [...tally].reduce((sum, [outcome, count]) => sum + (outcome === 'expire' ? 0 : count), 0);
}
