/**
 * The storage of one sandbox provider: its own books. Append-only list: every statement creates what is missing and nothing
 * else. Every payment of the service passes through one such object, so an authorization is one written row: no secondary
 * index (a charge's id is made of its key), WITHOUT ROWID, and calls counted in columns.
 */
export const SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS charges (
     key TEXT NOT NULL PRIMARY KEY,
     payment_id TEXT NOT NULL,
     effect_id TEXT NOT NULL,
     amount_minor INTEGER NOT NULL,
     currency TEXT NOT NULL,
     method TEXT NOT NULL,
     token TEXT,
     amount_codes INTEGER NOT NULL,
     -- turned_away · pending · authorized · captured · declined · voided
     status TEXT NOT NULL,
     -- What the key answers for ever; NULL until a call was taken.
     first_status TEXT,
     decline_code TEXT,
     settles_at_ms INTEGER,
     refunded_minor INTEGER NOT NULL,
     refunding_minor INTEGER NOT NULL,
     authorize_calls INTEGER NOT NULL,
     lookup_calls INTEGER NOT NULL,
     capture_calls INTEGER NOT NULL,
     void_calls INTEGER NOT NULL,
     capture_key TEXT,
     void_key TEXT,
     created_at_ms INTEGER NOT NULL,
     updated_at_ms INTEGER NOT NULL
   ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS refunds (
     key TEXT NOT NULL PRIMARY KEY,
     charge_key TEXT NOT NULL,
     effect_id TEXT NOT NULL,
     amount_minor INTEGER NOT NULL,
     -- pending · refunded · failed
     status TEXT NOT NULL,
     first_status TEXT NOT NULL,
     settles_to TEXT,
     settles_at_ms INTEGER,
     calls INTEGER NOT NULL,
     created_at_ms INTEGER NOT NULL
   ) WITHOUT ROWID`,
  // Few rows at a time: only what is still to be sent, and the newest of what was.
  `CREATE TABLE IF NOT EXISTS callbacks (
     id INTEGER PRIMARY KEY,
     -- An alarm does not know the name of its object.
     provider TEXT NOT NULL,
     body TEXT NOT NULL,
     forged INTEGER NOT NULL,
     due_at_ms INTEGER NOT NULL,
     attempts INTEGER NOT NULL,
     -- Of the last try; NULL before one.
     last_status INTEGER,
     done INTEGER NOT NULL
   )`,
];

export interface ChargeRow {
  readonly key: string;
  readonly payment_id: string;
  readonly effect_id: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly method: 'balance' | 'credit_card' | 'debit_card';
  readonly token: string | null;
  readonly amount_codes: number;
  readonly status: 'turned_away' | 'pending' | 'authorized' | 'captured' | 'declined' | 'voided';
  readonly first_status: 'pending' | 'authorized' | 'declined' | null;
  readonly decline_code: string | null;
  readonly settles_at_ms: number | null;
  /** Given back, and on the way back: together what is no longer to be had. */
  readonly refunded_minor: number;
  readonly refunding_minor: number;
  readonly authorize_calls: number;
  readonly lookup_calls: number;
  readonly capture_calls: number;
  readonly void_calls: number;
  readonly capture_key: string | null;
  readonly void_key: string | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

export interface RefundRow {
  readonly key: string;
  readonly charge_key: string;
  readonly effect_id: string;
  readonly amount_minor: number;
  readonly status: 'pending' | 'refunded' | 'failed';
  readonly first_status: 'pending' | 'refunded' | 'failed';
  readonly settles_to: 'refunded' | 'failed' | null;
  readonly settles_at_ms: number | null;
  readonly calls: number;
  readonly created_at_ms: number;
}

export interface CallbackRow {
  readonly id: number;
  readonly provider: string;
  readonly body: string;
  /** Signed with a wrong secret: the pathology that our intake must refuse. */
  readonly forged: number;
  readonly due_at_ms: number;
  readonly attempts: number;
  readonly last_status: number | null;
  readonly done: number;
}
