/** Audits what a Wallet object has stored, read from its tables anew: used by the tests of the object. */
import { runInDurableObject } from 'cloudflare:test';
import { WalletStore } from '../../durable-objects/wallet/store.ts';
import type { Wallet } from '../../durable-objects/wallet/wallet.ts';
import type { StoredEffect } from '../../src/domain/ledger/decide.ts';
import type { Resolution } from '../../src/domain/ledger/entry.ts';
import { type Violation, verifyLedger } from '../../src/domain/ledger/replay.ts';

/** Empty: the stored ledger is sound. @throws for an object that holds no wallet. */
export function audit(stub: DurableObjectStub<Wallet>): Promise<readonly Violation[]> {
  return runInDurableObject(stub, (_, { storage: { sql } }) => {
    const store = new WalletStore(sql);
    const wallet = store.wallet();
    if (wallet === null) throw new Error('no wallet');
    const effectIds = sql.exec<{ effect_id: string }>('SELECT effect_id FROM effects').toArray();
    const effects = effectIds
      .map((row) => store.effect(row.effect_id))
      .filter((effect): effect is StoredEffect => effect !== null);
    const resolutions = sql.exec<{ payment_id: string; resolution: Resolution }>('SELECT * FROM resolutions').toArray();
    return verifyLedger({
      wallet,
      entries: store.entries(0, Number.MAX_SAFE_INTEGER),
      effects,
      openHolds: store.openHolds(),
      resolutions: new Map(resolutions.map((row) => [row.payment_id, row.resolution])),
    }).violations;
  });
}
