/**
 * Everything that Holdfast writes or says, as text, for the test that looks for secrets: the captured log, D1 row by row, every
 * object of every namespace, what collectors and receivers heard, and answers with their headers.
 */
import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';

export interface Place {
  /** `log`, `D1 payments`, `PAYMENT_SAGA commits`, `answer GET /wallets/w`, `export`, `webhook`. */
  readonly where: string;
  readonly text: string;
}

/** Tables of the platform's own are not readable, and hold nothing of ours. */
const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";

export async function rowsOfD1(): Promise<Place[]> {
  const { results: tables } = await env.DB.prepare(TABLES).all<{ name: string }>();
  const places = await Promise.all(
    tables.map(async ({ name }) => {
      const { results } = await env.DB.prepare(`SELECT * FROM "${name}"`).all();
      return results.map((row) => ({ where: `D1 ${name}`, text: textOf(row) }));
    }),
  );
  return places.flat();
}

/** All that the objects store, and the names that they were reached by. */
export async function rowsOfObjects(): Promise<Place[]> {
  const places: Place[] = [];
  for (const [binding, namespace] of Object.entries(env)) {
    if (!isNamespace(namespace)) continue;
    for (const id of await listDurableObjectIds(namespace)) {
      const stub = namespace.get(id) as unknown as DurableObjectStub;
      places.push(
        ...(await runInDurableObject(stub, (_instance, { storage: { sql, kv } }) => [
          ...sql
            .exec<{ name: string }>(TABLES)
            .toArray()
            .flatMap(({ name }) =>
              sql
                .exec(`SELECT * FROM "${name}"`)
                .toArray()
                .map((row) => ({ where: `${binding} ${name}`, text: textOf(row) })),
            ),
          ...[...kv.list()].map(([key, value]) => ({ where: `${binding} ${key}`, text: textsOf(value) })),
        ])),
      );
    }
  }
  return places;
}

function isNamespace(binding: unknown): binding is DurableObjectNamespace {
  // Stubs of services have whatever member they are asked for: the class tells.
  return Object(binding).constructor?.name === 'DurableObjectNamespace';
}

/** Bytes as the text that they may be. */
function textOf(row: Readonly<Record<string, unknown>>): string {
  return Object.values(row)
    .map((value) => (value instanceof ArrayBuffer ? new TextDecoder().decode(value) : String(value)))
    .join('\n');
}

/** All texts in a stored value, at whatever depth. */
function textsOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.values(value).map(textsOf).join('\n') : String(value);
}

/** An answer whole: status, headers, body. */
export async function placeOf(where: string, response: Response): Promise<Place> {
  const headers = [...response.headers].map((pair) => pair.join(': '));
  return { where, text: [String(response.status), ...headers, await response.text()].join('\n') };
}
