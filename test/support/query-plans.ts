/** How SQLite finds the rows of the queries that some code makes, on the real D1: EXPLAIN QUERY PLAN of each. */
import { env } from 'cloudflare:workers';

/** The steps of the plan of each statement that `run` prepares and runs, in order. It is answered no rows. */
export async function plansOf(run: (db: D1Database) => Promise<unknown>): Promise<string[][]> {
  const asked: D1PreparedStatement[] = [];
  const nothing = { success: true, results: [], meta: { changes: 0 } };
  const ask = (statement: D1PreparedStatement) => {
    asked.push(statement);
    return nothing;
  };
  const explained = new WeakMap<object, D1PreparedStatement>();
  const prepared = (statement: D1PreparedStatement): object => {
    const recording = {
      bind: (...values: unknown[]) => prepared(statement.bind(...values)),
      all: async () => ask(statement),
      run: async () => ask(statement),
      first: async () => {
        ask(statement);
        return null;
      },
    };
    explained.set(recording, statement);
    return recording;
  };
  const db = {
    prepare: (sql: string) => prepared(env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)),
    batch: async (statements: readonly object[]) =>
      statements.flatMap((statement) => explained.get(statement) ?? []).map(ask),
    withSession: () => db,
  };
  await run(db as unknown as D1Database);
  const answers = await Promise.all(asked.map((statement) => statement.all<{ detail: string }>()));
  return answers.map(({ results }) => results.map(({ detail }) => detail));
}
