/**
 * The sandbox providers' own books, read from where the local runtime keeps them: the SQLite files of their objects. No
 * route of the service shows them, and none of its code stands between them and the verdict. Only read, and only once
 * everything that writes them has ended.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ChargeLine, RefundLine } from './chaos-check.ts';

const OBJECTS = 'v3/do/holdfast-SandboxProvider';
const CHARGES = 'SELECT key, payment_id, amount_minor, currency, status FROM charges';
// One that is pending settles by itself once its time is over, whether anybody looks or not.
const REFUNDS = 'SELECT charge_key, amount_minor, COALESCE(settles_to, status) AS status FROM refunds';

export interface ProviderBooks {
  readonly charges: readonly ChargeLine[];
  readonly chargeRefunds: readonly RefundLine[];
}

export function readProviderBooks(stateDirectory: string): ProviderBooks {
  const directory = join(stateDirectory, OBJECTS);
  const files = readdirSync(directory).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite');
  const books = files.map((name) => readBooksOf(join(directory, name)));
  return {
    charges: books.flatMap(({ charges }) => charges),
    chargeRefunds: books.flatMap(({ chargeRefunds }) => chargeRefunds),
  };
}

function readBooksOf(file: string): ProviderBooks {
  const database = new DatabaseSync(file);
  try {
    const tables = database.prepare(`SELECT name FROM sqlite_master WHERE name = 'charges'`).all();
    if (tables.length === 0) return { charges: [], chargeRefunds: [] };
    return {
      charges: database
        .prepare(CHARGES)
        .all()
        .map((row) => ({
          key: String(row.key),
          paymentId: String(row.payment_id),
          amountMinor: Number(row.amount_minor),
          currency: String(row.currency),
          status: String(row.status),
        })),
      chargeRefunds: database
        .prepare(REFUNDS)
        .all()
        .map((row) => ({
          chargeKey: String(row.charge_key),
          amountMinor: Number(row.amount_minor),
          status: String(row.status),
        })),
    };
  } finally {
    database.close();
  }
}
