/**
 * The naive wallet that the real one is compared with (P4): plain numbers and maps, no entries, no chain, written from
 * docs/ledger.md and not from the code. With it, the fast-check commands that drive both; the real side is behind
 * `Subject`, so that the same commands run against the pure core and against the object.
 */
import fc from 'fast-check';
import type { Deposit, WalletCommand, WalletOutcome } from '../../../src/domain/wallet-rpc.ts';

export interface Balances {
  available: number;
  held: number;
  settled: number;
  external: number;
  version: number;
  open: Record<string, number>;
}

/** The real side. Deposits answer as commands do: `null` where there is no wallet. */
export interface Subject {
  execute(
    commands: readonly WalletCommand[],
    nowMs: number,
  ): readonly WalletOutcome[] | Promise<readonly WalletOutcome[]>;
  open(currency: string, nowMs: number): string | Promise<string>;
  deposit(deposit: Deposit, nowMs: number): string | Promise<string>;
  balances(): Balances | null | Promise<Balances | null>;
  setFrozen(frozen: boolean): void | Promise<void>;
}

type Effect = { content: string; version: number | null; refusal: string | null };
type Hold = { amount: number; expiresAtMs: number; state: 'open' | 'debited' | 'released' | 'expired' };

export class Model {
  nowMs: number;
  currency: string | null = null;
  frozen = false;
  available = 0;
  held = 0;
  settled = 0;
  external = 0;
  version = 0;
  readonly holds = new Map<string, Hold>();
  readonly effects = new Map<string, Effect>();
  /** Every command so far, and those that moved money, to be sent again. */
  readonly sent: WalletCommand[] = [];
  readonly applied: WalletCommand[] = [];
  readonly deposits: Deposit[] = [];
  /** How often each outcome was met, over all models that share it: what a run never met, it has not tested. */
  readonly tally: Map<string, number>;

  constructor(nowMs: number, tally: Map<string, number>) {
    this.nowMs = nowMs;
    this.tally = tally;
  }

  count(outcome: string): void {
    this.tally.set(outcome, (this.tally.get(outcome) ?? 0) + 1);
  }

  execute(commands: readonly WalletCommand[]): { effectId: string; kind: string; version?: number; reason?: string }[] {
    this.expire();
    return commands.map((command) => {
      const isKnown = this.effects.has(command.effectId);
      const outcome = this.#one(command);
      this.sent.push(command);
      if (!isKnown && outcome.kind === 'applied') this.applied.push(command);
      const applied = this.frozen ? 'applied while frozen' : 'applied';
      this.count(`${command.type} ${outcome.reason ?? (isKnown ? 'replayed' : applied)}`);
      return outcome;
    });
  }

  open(currency: string): string {
    if (this.currency === null) {
      this.currency = currency;
      return 'opened';
    }
    return this.currency === currency ? 'exists' : 'currency_conflict';
  }

  deposit({ effectId, amountMinor, currency }: Deposit): string {
    this.expire();
    const content = JSON.stringify(['deposit', amountMinor, currency]);
    const known = this.effects.get(effectId);
    if (known !== undefined && known.content !== content)
      return known.content.startsWith('["deposit') ? 'key_reused' : 'effect_id_conflict';
    if (known !== undefined) return known.refusal ?? `replayed ${known.version}`;
    const refusal = this.#refusedByWallet(currency, true);
    if (refusal === 'wallet_not_found') return refusal;
    if (refusal === null) {
      this.external += amountMinor;
      this.available += amountMinor;
      this.version += 1;
    }
    this.effects.set(effectId, { content, refusal, version: refusal === null ? this.version : null });
    return refusal ?? `deposited ${this.version}`;
  }

  /** Oldest first; one whose time has passed is among them until something looks. */
  openPaymentIds(): string[] {
    return [...this.holds].filter(([, hold]) => hold.state === 'open').map(([paymentId]) => paymentId);
  }

  expire(): void {
    for (const hold of this.holds.values()) {
      if (hold.state !== 'open' || hold.expiresAtMs > this.nowMs) continue;
      hold.state = 'expired';
      this.count('expire');
      this.held -= hold.amount;
      this.available += hold.amount;
      this.version += 1;
    }
  }

  balances(): Balances | null {
    if (this.currency === null) return null;
    const { available, held, settled, external, version } = this;
    const open: Record<string, number> = {};
    for (const paymentId of this.openPaymentIds()) open[paymentId] = this.holds.get(paymentId)?.amount ?? 0;
    return { available, held, settled, external, version, open };
  }

  #one(command: WalletCommand): { effectId: string; kind: string; version?: number; reason?: string } {
    const { effectId } = command;
    const { effectId: _, ...rest } = command;
    const content = JSON.stringify(Object.entries(rest).sort());
    let effect = this.effects.get(effectId);
    if (effect !== undefined && effect.content !== content) {
      return { effectId, kind: 'refused', reason: 'effect_id_conflict' };
    }
    if (effect === undefined) {
      if (command.type === 'hold' && command.openWithMinor !== undefined && this.currency === null) {
        this.currency = command.currency;
        this.external = command.openWithMinor;
        this.available = command.openWithMinor;
        this.version = 1;
      }
      const refusal = this.#refusedByWallet(command.currency, command.type === 'hold') ?? this.#move(command);
      effect = { content, refusal, version: refusal === null ? this.version : null };
      this.effects.set(effectId, effect);
    }
    return effect.version === null
      ? { effectId, kind: 'refused', reason: effect.refusal ?? '' }
      : { effectId, kind: 'applied', version: effect.version };
  }

  #refusedByWallet(currency: string, begins: boolean): string | null {
    if (this.currency === null) return 'wallet_not_found';
    if (this.frozen && begins) return 'wallet_frozen';
    return this.currency === currency ? null : 'currency_mismatch';
  }

  #move(command: WalletCommand): string | null {
    const refusal =
      command.type === 'hold'
        ? this.#hold(command)
        : command.type === 'credit'
          ? this.#credit(command)
          : command.type === 'reverse'
            ? this.#reverse(command)
            : this.#resolve(command);
    if (refusal === 'nothing left to do') return null;
    if (refusal === null) this.version += 1;
    return refusal;
  }

  #hold({ paymentId, amountMinor: amount, expiresAtMs }: Extract<WalletCommand, { type: 'hold' }>): string | null {
    if (this.holds.has(paymentId)) return 'hold_exists';
    if (amount > this.available) return 'insufficient_funds';
    this.available -= amount;
    this.held += amount;
    this.holds.set(paymentId, { amount, expiresAtMs, state: 'open' });
    return null;
  }

  #credit({ amountMinor: amount }: WalletCommand): string | null {
    if (amount > this.settled) return 'insufficient_funds';
    this.settled -= amount;
    this.available += amount;
    return null;
  }

  #reverse({ amountMinor: amount }: WalletCommand): string | null {
    if (amount > this.available) return 'insufficient_funds';
    this.available -= amount;
    this.settled += amount;
    return null;
  }

  #resolve(command: Extract<WalletCommand, { type: 'debit' | 'release' }>): string | null {
    const hold = this.holds.get(command.paymentId);
    if (hold === undefined) return 'hold_not_found';
    if (command.type === 'release' && hold.state === 'expired') return 'nothing left to do';
    if (hold.state !== 'open') return 'hold_resolved';
    if (command.amountMinor > hold.amount) return 'amount_exceeds_hold';
    if (command.type === 'debit' && command.simulate === 'refuse') return 'simulated_refusal';
    const debited = command.type === 'debit' ? command.amountMinor : 0;
    hold.state = command.type === 'debit' ? 'debited' : 'released';
    this.held -= hold.amount;
    this.settled += debited;
    this.available += hold.amount - debited;
    return null;
  }
}

export class Step implements fc.AsyncCommand<Model, Subject> {
  readonly #name: string;
  readonly #act: (model: Model, subject: Subject) => Promise<void>;
  constructor(name: string, act: (model: Model, subject: Subject) => Promise<void>) {
    this.#name = name;
    this.#act = act;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, subject: Subject): Promise<void> {
    await this.#act(model, subject);
    same(await subject.balances(), model.balances());
  }
  toString(): string {
    return this.#name;
  }
}

/** Cheaper than an assertion library, 300,000 times over. */
function same(actual: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(ordered(actual)), JSON.stringify(ordered(expected))];
  if (left !== right) throw new Error(`real  ${left}\nmodel ${right}`);
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== 'object') return value;
  return Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => [name, ordered(member)]);
}

/** Small pools, so that ids meet again: replays, conflicts, second holds and late debits are the rule. */
const effectId = fc.nat(199).map((n) => `effect_${n}`);
const paymentId = fc.nat(5).map((n) => `pay_${n}`);
/** Which of the open holds a debit or a release is about; null: of the payment that it names, whatever became of it. */
const openHold = fc.option(fc.nat(5), { nil: null, freq: 2 });
const currency = fc.oneof({ weight: 19, arbitrary: fc.constant('USD') }, { weight: 1, arbitrary: fc.constant('CLP') });
const amountMinor = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 }));

/**
 * Commands for `fc.asyncModelRun`. `ttlsMs`: how far after the model's present holds may expire; with `clock`, time also
 * passes, and the wallet is frozen now and then.
 */
export function walletSteps(
  ttlsMs: readonly number[],
  clock: boolean,
): fc.Arbitrary<fc.AsyncCommand<Model, Subject>>[] {
  const base = { effectId, paymentId, amountMinor, currency };
  const draft = fc.oneof(
    fc.record({
      type: fc.constant('hold' as const),
      ...base,
      ttlMs: fc.constantFrom(...ttlsMs),
      openWithMinor: fc.option(fc.constant(100), { nil: undefined, freq: 3 }),
    }),
    fc.record({ type: fc.constant('debit' as const), ...base, openHold, simulated: fc.nat(4) }),
    fc.record({ type: fc.constant('release' as const), ...base, openHold }),
    fc.record({ type: fc.constantFrom('credit' as const, 'reverse' as const), ...base }),
  );
  const execute = fc.array(draft, { minLength: 1, maxLength: 3, size: 'max' }).map(
    (drafts) =>
      new Step(`execute ${JSON.stringify(drafts)}`, async (model, subject) => {
        const commands = drafts.map((entry) => commandOf(entry, model));
        same(await subject.execute(commands, model.nowMs), model.execute(commands));
      }),
  );
  // Half of them are commands that moved money: a replay that moves it again is the fault that matters most.
  const resend = fc.record({ n: fc.nat(99), applied: fc.boolean() }).map(
    ({ n, applied }) =>
      new Step(`resend ${n}${applied ? ' of those applied' : ''}`, async (model, subject) => {
        const list = applied ? model.applied : model.sent;
        const command = list[n % Math.max(1, list.length)];
        if (command !== undefined) same(await subject.execute([command], model.nowMs), model.execute([command]));
      }),
  );
  // A key that comes again, with the same body or with another.
  const deposit = fc.record({ effectId, amountMinor, currency, again: fc.nat(5) }).map(
    ({ again, ...fresh }) =>
      new Step(`deposit ${JSON.stringify(fresh)}, again ${again}`, async (model, subject) => {
        const last = again <= 1 ? model.deposits.at(-1) : undefined;
        const input = last === undefined ? fresh : { ...last, amountMinor: last.amountMinor + again };
        const expected = model.deposit(input);
        model.deposits.push(input);
        model.count(`deposit ${expected.replace(/ \d+$/, '')}`);
        same(await subject.deposit(input, model.nowMs), expected);
      }),
  );
  const open = currency.map(
    (code) =>
      new Step(`open ${code}`, async (model, subject) => {
        same(await subject.open(code, model.nowMs), model.open(code));
      }),
  );
  // Clocks are set back, too: a ledger's times must not run backwards with them.
  const pass = fc.constantFrom(1, 10, 1_000, -100).map(
    (ms) =>
      new Step(`${ms} ms pass`, async (model) => {
        model.nowMs += ms;
      }),
  );
  const freeze = fc
    .nat(3)
    .map((n) => n === 0)
    .map(
      (frozen) =>
        new Step(`frozen = ${frozen}`, async (model, subject) => {
          if (model.currency === null) return;
          model.frozen = frozen;
          await subject.setFrozen(frozen);
        }),
    );
  const wheel = [execute, execute, execute, execute, execute, resend, resend, deposit, deposit, open];
  return clock ? [...wheel, pass, freeze] : wheel;
}

interface DraftBase {
  readonly effectId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
}
type Draft = DraftBase &
  (
    | { readonly type: 'hold'; readonly ttlMs: number; readonly openWithMinor?: number | undefined }
    | { readonly type: 'debit'; readonly openHold: number | null; readonly simulated: number }
    | { readonly type: 'release'; readonly openHold: number | null }
    | { readonly type: 'credit' | 'reverse' }
  );

function commandOf(draft: Draft, model: Model): WalletCommand {
  const { effectId, paymentId, amountMinor, currency } = draft;
  const base = { effectId, paymentId, amountMinor, currency };
  switch (draft.type) {
    case 'hold': {
      const { openWithMinor, ttlMs } = draft;
      const expiresAtMs = model.nowMs + ttlMs;
      return { ...base, type: 'hold', expiresAtMs, ...(openWithMinor !== undefined && { openWithMinor }) };
    }
    case 'debit': {
      const aimed = { ...base, paymentId: aimedAt(draft, model) };
      return { ...aimed, type: 'debit', ...(draft.simulated === 0 && { simulate: 'refuse' as const }) };
    }
    case 'release':
      return { ...base, paymentId: aimedAt(draft, model), type: 'release' };
    default:
      return { ...base, type: draft.type };
  }
}

function aimedAt(draft: DraftBase & { readonly openHold: number | null }, model: Model): string {
  const open = model.openPaymentIds();
  return (draft.openHold === null ? undefined : open[draft.openHold % open.length]) ?? draft.paymentId;
}
