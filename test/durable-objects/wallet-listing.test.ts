/** The directory of wallets: every wallet that exists comes to be listed, whatever is lost on the way, and costs nothing after. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { walletObjectName } from '../../src/domain/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import { walletOpenedSchema } from '../../src/domain/messages.ts';
import { loseMessages } from '../support/losses.ts';
import { createPayment, terminal, until } from '../support/payments.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

afterEach(() => {
  loseMessages(null);
  vi.useRealTimers();
});

let wallets = 0;

function freshWallet() {
  wallets += 1;
  const id = `listed-${wallets}`;
  const stub = env.WALLET.getByName(walletObjectName(SCOPE, id));
  return {
    id,
    stub,
    open: () => stub.open(SCOPE, id, 'USD'),
    row: () => env.DB.prepare('SELECT * FROM wallets WHERE id = ?').bind(id).first(),
    alarmAtMs: () => runInDurableObject(stub, (_, state) => state.storage.getAlarm()),
    isListed: () =>
      runInDurableObject(
        stub,
        (_, { storage: { sql } }) => sql.exec<{ listed: number }>('SELECT listed FROM wallet').one().listed === 1,
      ),
    hold: () =>
      stub.execute(SCOPE, id, [
        {
          type: 'hold',
          effectId: `hold.${id}`,
          paymentId: `pay_${id}`,
          amountMinor: 5,
          currency: 'USD',
          expiresAtMs: Date.now() + DAY_MS,
        },
      ]),
  };
}

type Fresh = ReturnType<typeof freshWallet>;
const listed = ({ isListed }: Fresh) => until(isListed, (is) => is);

describe('a wallet', () => {
  test('that is opened is listed, as what it is, and then waits for nothing', async () => {
    const wallet = freshWallet();
    const opened = await wallet.open();
    await listed(wallet);
    const createdAtMs = 'wallet' in opened ? Date.parse(opened.wallet.created_at) : 0;
    expect(await wallet.row()).toEqual({ ...SCOPE, id: wallet.id, currency: 'USD', created_at_ms: createdAtMs });
    expect(await wallet.alarmAtMs()).toBeNull();
  });

  test('that a payment opens is listed', async () => {
    const { id } = await createPayment({ wallet_id: 'listed-by-payment' });
    await terminal(id);
    const row = () => env.DB.prepare("SELECT id FROM wallets WHERE id = 'listed-by-payment'").first('id');
    await until(row, (found) => found !== null);
  });

  test('whose message is lost tells of itself by its alarm, until the directory has it', async () => {
    const wallet = freshWallet();
    loseMessages(() => true);
    await wallet.open();
    expect(await wallet.alarmAtMs()).toBeLessThanOrEqual(Date.now() + MINUTE_MS);
    for (let ringing = 0; ringing < 3; ringing++) {
      expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
      expect(await wallet.alarmAtMs()).toBeGreaterThan(Date.now());
    }
    expect(await wallet.isListed()).toBe(false);
    loseMessages(null);
    await evictDurableObject(wallet.stub);
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    await listed(wallet);
    expect(await wallet.row()).toMatchObject({ id: wallet.id });
  });

  test('that has long waited waits longer, an hour at most', async () => {
    const wallet = freshWallet();
    loseMessages(() => true);
    await wallet.open();
    for (const [agedMs, waitMs] of [
      [0, MINUTE_MS],
      [10 * MINUTE_MS, 10 * MINUTE_MS],
      [DAY_MS, HOUR_MS],
    ] as const) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + agedMs });
      await runDurableObjectAlarm(wallet.stub);
      const waitsMs = Number(await wallet.alarmAtMs()) - Date.now();
      expect(Math.abs(waitsMs - waitMs)).toBeLessThan(MINUTE_MS / 2);
    }
  });

  test('that is listed while a hold is open sets its alarm for the hold', async () => {
    const wallet = freshWallet();
    loseMessages(() => true);
    await wallet.open();
    await wallet.stub.deposit({ effectId: 'deposit.1', amountMinor: 100, currency: 'USD' });
    await wallet.hold();
    expect(await wallet.alarmAtMs()).toBeLessThanOrEqual(Date.now() + MINUTE_MS);
    await wallet.stub.acknowledgeListing();
    expect(await wallet.alarmAtMs()).toBeGreaterThan(Date.now() + DAY_MS - MINUTE_MS);
  });

  test('tells of itself once in a life of its object, and never again once it is listed', async () => {
    const [wallet, other] = [freshWallet(), freshWallet()];
    const told: string[] = [];
    loseMessages(({ body }) => {
      const opened = walletOpenedSchema.safeParse(body);
      if (opened.success) told.push(opened.data.wallet.id);
      return opened.success;
    });
    const times = () => told.filter((id) => id === wallet.id).length;
    await wallet.open();
    for (const n of [1, 2, 3]) await wallet.stub.deposit({ effectId: `deposit.${n}`, amountMinor: 9, currency: 'USD' });
    await wallet.stub.acknowledgeListing();
    await evictDurableObject(wallet.stub);
    await wallet.hold();
    await wallet.stub.acknowledgeListing();
    // What the other sends comes after all that this one has sent.
    await other.open();
    await until(
      async () => told,
      (ids) => ids.includes(other.id),
    );
    expect(times()).toBe(1);
  });

  test('that was never opened is not listed by being told so', async () => {
    const wallet = freshWallet();
    await wallet.stub.acknowledgeListing();
    expect(await wallet.stub.directoryRow()).toBeNull();
    const tables = await runInDurableObject(wallet.stub, (_, { storage: { sql } }) =>
      sql.exec(`SELECT name FROM sqlite_master WHERE name = 'wallet'`).toArray(),
    );
    expect(tables).toEqual([]);
  });
});
