/**
 * The configuration of the benchmark's Worker: wrangler.toml as it is, with another entry and the floor's object added. Made
 * anew for each run and ignored by git, so that it cannot differ from what is deployed in anything else.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../scripts/local-worker.ts';

const MAIN = 'main = "src/index.ts"';
const VARS = '[vars]';
/**
 * Sampling as in live mode, whose default is not that of the sandbox. And time for the gateway's step: the sandbox's twenty seconds
 * are less than a slow machine needs for what a load of POSTs leaves behind, and those payments would fail, as they should.
 */
const BENCH_VARS = ['OTEL_TRACES_SAMPLER_ARG = "0.1"', 'SAGA_AUTHORIZE_BUDGET_MS = "600000"'];
const FLOOR = `
[[durable_objects.bindings]]
name = "FLOOR"
class_name = "Floor"

[[migrations]]
tag = "bench"
new_sqlite_classes = ["Floor"]
`;

/** Writes it beside wrangler.toml, whose paths are relative to it; its file name. */
export function writeBenchConfig(): string {
  const text = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');
  if (!text.includes(MAIN)) throw new Error(`wrangler.toml has no line ${MAIN}`);
  const name = 'wrangler.bench.toml';
  writeFileSync(
    join(ROOT, name),
    text.replace(MAIN, 'main = "bench/worker.ts"').replace(VARS, [VARS, ...BENCH_VARS].join('\n')) + FLOOR,
  );
  return name;
}
