/**
 * `npm run rebuild -- --objects local --actor jane --reason "…" [--url http://localhost:8080]`: has every object hand what
 * the record (D1) is to hold of it over again. Safe to repeat, and to break off: what is there already stays.
 */
import { REBUILD_OBJECTS_MAX } from '../src/domain/limits.ts';
import { messageOf } from './command-line.ts';
import { chunksOf, objectsFrom, postTo, readRebuildArguments } from './ops.ts';

interface Rebuilt {
  readonly sagas: number;
  readonly runs: number;
  readonly wallets: number;
  readonly empty: readonly string[];
}

/** Progress is told this often. */
const TOLD_EVERY_CHUNKS = 20;

try {
  const { url, objects, actor, reason } = readRebuildArguments();
  if (objects === undefined || actor === undefined || reason === undefined) {
    throw new Error('--objects, --actor and --reason are needed (docs/runbook.md)');
  }
  const { sagas, wallets } = await objectsFrom(objects);
  console.log(`${sagas.length} payments and refunds, ${wallets.length} wallets`);
  const bodies = [
    ...chunksOf(sagas, REBUILD_OBJECTS_MAX).map((ids) => ({ sagas: ids })),
    ...chunksOf(wallets, REBUILD_OBJECTS_MAX).map((ids) => ({ wallets: ids })),
  ];
  const sum = { sagas: 0, runs: 0, wallets: 0, empty: 0 };
  for (const [index, body] of bodies.entries()) {
    const rebuilt = await postTo<Rebuilt>(url, '/ops/rebuild', { ...body, actor, reason });
    sum.sagas += rebuilt.sagas;
    sum.runs += rebuilt.runs;
    sum.wallets += rebuilt.wallets;
    sum.empty += rebuilt.empty.length;
    if ((index + 1) % TOLD_EVERY_CHUNKS === 0) console.log(`${index + 1} of ${bodies.length} calls`);
  }
  console.log(
    `rebuilt: ${sum.sagas} sagas with ${sum.runs} runs, ${sum.wallets} wallets; ${sum.empty} objects hold nothing`,
  );
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
