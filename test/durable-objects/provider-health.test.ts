import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import type { OperationReport } from '../../src/domain/provider-health.ts';

const stub = (name: string) => env.PROVIDER_HEALTH.getByName(name);
const reports = (count: number, result: 'success' | 'failure'): OperationReport[] =>
  Array.from({ length: count }, () => ({ operation: 'authorize', result, slow: false }));
const authorizing = async (name: string) => (await stub(name).read()).find((view) => view.operation === 'authorize');

it('a breaker that has opened is open after an eviction, for as long as it had left', async () => {
  await stub('p-1').tell(reports(20, 'failure'));
  const before = await authorizing('p-1');
  await evictDurableObject(stub('p-1'));
  expect(await authorizing('p-1')).toMatchObject({ state: 'open', openUntilMs: before?.openUntilMs, openings: 1 });
});

it('a healthy provider writes nothing, and its window begins anew after an eviction', async () => {
  await stub('p-2').tell([...reports(30, 'success'), ...reports(19, 'failure')]);
  expect(await authorizing('p-2')).toMatchObject({ state: 'closed', calls: 49, failures: 19 });
  const tables = await runInDurableObject(stub('p-2'), (_object, state) =>
    state.storage.sql.exec(`SELECT name FROM sqlite_master WHERE name = 'breakers'`).toArray(),
  );
  expect(tables).toEqual([]);
  await evictDurableObject(stub('p-2'));
  expect(await authorizing('p-2')).toMatchObject({ state: 'closed', calls: 0 });
});

it('leases that are out when the object is evicted stay out', async () => {
  await stub('p-3').tell(reports(20, 'failure'));
  await runInDurableObject(stub('p-3'), (_object, state) => {
    const [row] = state.storage.sql.exec<{ state: string }>('SELECT state FROM breakers').toArray();
    const open = JSON.parse(row?.state ?? '{}') as { openUntilMs: number };
    state.storage.sql.exec('UPDATE breakers SET state = ?', JSON.stringify({ ...open, openUntilMs: Date.now() - 1 }));
  });
  await evictDurableObject(stub('p-3'));
  expect((await stub('p-3').ask({ authorize: 3 })).authorize).toMatchObject({ kind: 'leased' });
  await evictDurableObject(stub('p-3'));
  const left = (await stub('p-3').ask({ authorize: 9 })).authorize;
  expect(left?.kind === 'leased' ? left.leases.length : 0).toBe(2);
});
