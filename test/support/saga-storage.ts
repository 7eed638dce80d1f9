/** What a saga's object stores, as tests look at it, edit it, age it and make it fail. Used inside `runInDurableObject`. */
import { type Grave, type Head, SAGA_KEY } from '../../durable-objects/saga/store.ts';
import type { StoredCommit } from '../../src/domain/saga/seal.ts';

type Kv = DurableObjectStorage['kv'];
type Stored = Head | Grave | undefined;

/** The commits that are in no page. */
export function commitsIn(kv: Kv): readonly StoredCommit[] {
  const stored = kv.get<Stored>(SAGA_KEY);
  return stored === undefined || 'tombstone' in stored ? [] : stored.commits;
}

/** Edits the commits as somebody would who gets at the storage. */
export function editCommits(kv: Kv, edit: (commit: StoredCommit) => StoredCommit): void {
  kv.put(SAGA_KEY, { ...kv.get<Head>(SAGA_KEY), commits: commitsIn(kv).map(edit) });
}

/** The record of a commit with other members, of which `record` is an object of the record's own. */
export function withRecord(
  commit: StoredCommit,
  change: (record: Record<string, unknown>) => Record<string, unknown>,
): StoredCommit {
  return { ...commit, record: JSON.stringify(change(JSON.parse(commit.record) as Record<string, unknown>)) };
}

/** What an object holds: so many commits and pages of older ones, or a tombstone, and any tables. */
export function heldIn({ kv, sql }: Pick<DurableObjectStorage, 'kv' | 'sql'>): unknown {
  const tables = sql
    .exec<{ name: string }>(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .toArray()
    .map(({ name }) => name);
  const keys = [...kv.list()].map(([key]) => key);
  const pages = keys.filter((key) => key !== SAGA_KEY).length;
  const stored = kv.get<Stored>(SAGA_KEY);
  const held =
    stored === undefined ? {} : 'tombstone' in stored ? { tombstone: true } : { commits: stored.commits.length };
  return { ...held, ...(pages > 0 && { pages }), ...(tables.length > 0 && { tables }) };
}

const COMMITS = `CREATE TABLE commits (
  sequence_last INTEGER PRIMARY KEY, closes INTEGER NOT NULL, events TEXT NOT NULL, record TEXT NOT NULL, seal TEXT)`;
const TOMBSTONES = `CREATE TABLE tombstones (
  entity_id TEXT NOT NULL PRIMARY KEY, expired_at_ms INTEGER NOT NULL, remains TEXT) WITHOUT ROWID`;

/** Makes an object what a version before decision 0067 would have left. */
export function asTables({ kv, sql }: Pick<DurableObjectStorage, 'kv' | 'sql'>): void {
  const stored = kv.get<Stored>(SAGA_KEY);
  if (stored === undefined) throw new Error('nothing is stored');
  if ('tombstone' in stored) {
    const { entityId, expiredAtMs, remains } = stored.tombstone;
    sql.exec(TOMBSTONES);
    sql.exec('INSERT INTO tombstones VALUES (?, ?, ?)', entityId, expiredAtMs, remains && JSON.stringify(remains));
  } else {
    sql.exec(COMMITS);
    for (const { sequenceLast, closes, events, record, seal } of stored.commits) {
      sql.exec('INSERT INTO commits VALUES (?, ?, ?, ?, ?)', sequenceLast, closes, events, record, seal);
    }
  }
  kv.delete(SAGA_KEY);
}

/** Makes writes of keys fail, of all objects of this isolate, where `isMeant`; answers how to undo that. */
export function failWrites(
  { kv }: Pick<DurableObjectStorage, 'kv'>,
  isMeant: (key: string, value?: unknown) => boolean,
): () => void {
  const prototype = Object.getPrototypeOf(kv) as Kv;
  const { put, delete: remove } = prototype;
  const refuse = (key: string, value?: unknown) => {
    if (isMeant(key, value)) throw new Error('the storage refuses');
  };
  prototype.put = function refusing(this: Kv, key: string, value: unknown) {
    refuse(key, value);
    put.call(this, key, value);
  };
  prototype.delete = function refusing(this: Kv, key: string) {
    refuse(key);
    return remove.call(this, key);
  };
  return () => Object.assign(prototype, { put, delete: remove });
}
