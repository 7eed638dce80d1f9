/**
 * Runs sagas, each with its plan, as a client does who sends again with the same key what had no answer; waits until they
 * are at rest, and reads how they ended from everybody who knows: the saga's object, its wallet, the record (D1), and the
 * provider's own books.
 */
import { env } from 'cloudflare:workers';
import { publicIdFromHex, type Scope, sagaObjectName, walletObjectName } from '../../../src/domain/ids.ts';
import { call, postPayment } from '../../support/payments.ts';
import type { EndState } from './compare.ts';
import type { SagaEnd } from './objects.ts';
import { follow, type Plan } from './plans.ts';
import type { FlowName } from './points.ts';

const SCOPE: Scope = { merchant: 'default', mode: 'sandbox' };
/** Two crashes on the way cost two waits for the alarm, and the second is longer; the rest is for a busy machine. */
const REST_BOUND_MS = 60_000;
/** A client's patience: more crashes than any plan has. */
const POSTS_MAX = 10;
const POLL_MS = 1_000;

const BODIES: Readonly<Record<FlowName, Record<string, unknown>>> = {
  balance: {},
  card: { method: 'credit_card', token: 'pm_card_visa' },
  decline: { token: 'pm_card_visa_chargeDeclined' },
  compensation: { token: 'pm_sim_debit_fail' },
  lookup: { token: 'pm_sim_5xx_after_success' },
  refund: {},
};

/** A saga with a name of its own, of which everything else follows. */
export class Run {
  readonly flow: FlowName;
  readonly plan: Plan;
  readonly key: string;
  readonly walletId: string;
  readonly paymentId: string;
  readonly refundId: string;
  readonly #restBoundMs: number;

  constructor(flow: FlowName, name: string, plan: Plan, restBoundMs = REST_BOUND_MS) {
    this.#restBoundMs = restBoundMs;
    this.flow = flow;
    this.plan = plan;
    this.key = `${flow}-${name}`;
    this.walletId = `wallet-${this.key}`;
    this.paymentId = publicIdFromHex('pay_', this.#id(env.PAYMENT_SAGA, '/payments').toString());
    this.refundId = publicIdFromHex('ref_', this.#id(env.REFUND_SAGA, '/refunds').toString());
  }

  get walletName(): string {
    return walletObjectName(SCOPE, this.walletId);
  }

  /** Posts the payment until it is answered; how long that took. */
  async begin(): Promise<number> {
    const startedAtMs = Date.now();
    // A refund's plan begins with the refund: until then its payment is like any other.
    if (this.flow !== 'refund') follow(this.plan, this.#ids());
    await this.#post(() => postPayment({ wallet_id: this.walletId, ...BODIES[this.flow] }, this.key));
    return Date.now() - startedAtMs;
  }

  /** Until everything is at rest. @throws with what it is stuck in. */
  async toRest(): Promise<void> {
    await this.#rest(() => this.#payment());
    if (this.flow !== 'refund') return;
    follow(this.plan, this.#ids());
    await this.#post(() => this.#postRefund());
    await this.#rest(() => this.#refund());
    await this.#rest(() => this.#payment());
  }

  /** How it ended, with what differs from one run to the next made equal. */
  async end(): Promise<EndState> {
    const [payment, refund, ledger, books, record] = await Promise.all([
      this.#rest(() => this.#payment()),
      this.flow === 'refund' ? this.#rest(() => this.#refund()) : null,
      this.#ledger(),
      this.#books(),
      this.#record(),
    ]);
    const parts = { payment, refund, ledger, books, record };
    return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, this.#normal(part)]));
  }

  #ids(): string[] {
    return [this.paymentId, this.refundId, this.walletName];
  }

  #id(namespace: Env['PAYMENT_SAGA'] | Env['REFUND_SAGA'], route: string): DurableObjectId {
    return namespace.idFromName(sagaObjectName(SCOPE, route, this.key));
  }

  /** A fresh stub each time: one that threw is broken. */
  #payment(): Ends {
    return env.PAYMENT_SAGA.get(this.#id(env.PAYMENT_SAGA, '/payments')) as unknown as Ends;
  }

  #refund(): Ends {
    return env.REFUND_SAGA.get(this.#id(env.REFUND_SAGA, '/refunds')) as unknown as Ends;
  }

  #postRefund(): Promise<Response> {
    return call('/refunds', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': this.key },
      body: JSON.stringify({ payment_id: this.paymentId, amount: 230 }),
    });
  }

  /** Sends until it is answered: by 202, or by 200 where an earlier sending has done it all meanwhile. */
  async #post(send: () => Promise<Response>): Promise<void> {
    for (let sent = 1; sent <= POSTS_MAX; sent += 1) {
      const { status } = await send();
      if (status === 202 || status === 200) return;
      if (status < 500) throw new Error(`answered ${status}`);
    }
    throw new Error(`no answer to ${POSTS_MAX} POSTs`);
  }

  /** The end, at rest. An object that dies as it is asked, at the last of its points, is asked again. */
  async #rest(reach: () => Ends): Promise<SagaEnd> {
    const endMs = Date.now() + this.#restBoundMs;
    for (;;) {
      const end = await reach()
        .end()
        .catch((error: unknown) => String(error));
      if (typeof end === 'object' && end?.atRest === true) return end;
      if (Date.now() > endMs)
        throw new Error(end === null ? 'lost' : `stuck in ${typeof end === 'string' ? end : end.state}`);
      await scheduler.wait(POLL_MS);
    }
  }

  async #ledger(): Promise<unknown> {
    const wallet = env.WALLET.getByName(this.walletName);
    const read = await wallet.read();
    const entries = await wallet.readEntries({ beforeSequence: null, limit: 100, atMs: null });
    return { read, entries };
  }

  /** Each provider's charges and refunds for this payment; how often it was called is no effect. */
  async #books(): Promise<unknown> {
    const names = ['acme', 'borealis'];
    return Promise.all(
      names.map(async (name) => {
        const page = { afterCharge: this.paymentId, afterRefund: this.refundId, limit: 5 };
        const { charges, refunds } = await env.SANDBOX_PROVIDER.getByName(name).books(page);
        return {
          charges: charges
            .filter(({ paymentId }) => paymentId === this.paymentId)
            .map(({ calls, createdAtMs, updatedAtMs, ...charge }) => charge),
          refunds: refunds
            .filter(({ chargeKey }) => chargeKey.startsWith(this.paymentId))
            .map(({ calls, createdAtMs, ...refund }) => refund),
        };
      }),
    );
  }

  async #record(): Promise<unknown> {
    const groups = JSON.stringify([`payment_${this.paymentId}`, `refund_${this.refundId}`]);
    const ofGroups = 'WHERE group_id IN (SELECT value FROM json_each(?))';
    const [runs, notifications, payments, refunds] = await env.DB.batch<Record<string, unknown>>([
      env.DB.prepare(`SELECT group_id, events FROM events ${ofGroups} ORDER BY group_id, sequence_first`).bind(groups),
      env.DB.prepare(`SELECT event_type FROM notifications ${ofGroups} ORDER BY event_type`).bind(groups),
      env.DB.prepare('SELECT status, sequence FROM payments WHERE id = ?').bind(this.paymentId),
      env.DB.prepare('SELECT status, sequence FROM refunds WHERE id = ?').bind(this.refundId),
    ]);
    const events = runs?.results.flatMap((row) => JSON.parse(String(row.events)) as unknown[]);
    return [events, notifications?.results, payments?.results, refunds?.results];
  }

  #normal(part: unknown): string {
    return JSON.stringify(part)
      .replaceAll(this.paymentId, 'PAYMENT')
      .replaceAll(this.refundId, 'REFUND')
      .replaceAll(this.walletId, 'WALLET')
      .replaceAll(this.key, 'KEY')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
      .replaceAll(/[0-9a-f]{64}/g, 'HASH')
      .replaceAll(/(00-)?[0-9a-f]{32}(-[0-9a-f]{16}-\d\d)?/g, 'TRACE');
  }
}

interface Ends {
  end(): Promise<SagaEnd | null>;
}

/** A runtime that answers a POST later than this has enough to do. */
const ANSWER_MS = 100;
const SIDE_BY_SIDE_MIN = 8;

/**
 * One saga per plan, at most `sideBySide` at once, and fewer where the machine is busy: a saga that only waits for its turn
 * would spend the budgets that are meant for crashes. What threw is an end too.
 */
export async function runAll(runs: readonly Run[], sideBySide: number): Promise<Map<Run, EndState>> {
  const ends = new Map<Run, EndState>();
  let running = 0;
  let answerMs = ANSWER_MS;
  const isFull = () => running >= Math.max(SIDE_BY_SIDE_MIN, sideBySide * Math.min(1, ANSWER_MS / answerMs));
  const one = async (run: Run): Promise<void> => {
    try {
      const tookMs = await run.begin();
      answerMs += (tookMs - answerMs) / 10;
      await run.toRest();
      ends.set(run, await run.end());
    } catch (error) {
      ends.set(run, { stuck: error instanceof Error ? error.message : String(error) });
    }
    running -= 1;
  };
  const all: Promise<void>[] = [];
  for (const run of runs) {
    while (isFull()) await scheduler.wait(10);
    running += 1;
    all.push(one(run));
  }
  await Promise.all(all);
  return ends;
}
