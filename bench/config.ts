/**
 * The configuration of the benchmark's Worker: wrangler.toml as it is, with another entry and what the yardsticks need added. Made
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
const OBJECTS = {
  FLOOR: 'Floor',
  SKETCH_SAGA: 'SketchSaga',
  SKETCH_WALLET: 'SketchWallet',
  SKETCH_PROVIDER: 'SketchProvider',
} as const;
/** With the settings of the queue that each stands for. */
const QUEUES = {
  SKETCH_WALLET_COMMANDS: { queue: 'sketch-wallet-commands', as: 'wallet-commands' },
  SKETCH_GATEWAY_COMMANDS: { queue: 'sketch-gateway-commands', as: 'gateway-commands' },
  SKETCH_EVENTS: { queue: 'sketch-events', as: 'payment-events' },
} as const;

function yardsticks(text: string): string {
  const objects = Object.entries(OBJECTS).map(
    ([name, className]) => `[[durable_objects.bindings]]\nname = "${name}"\nclass_name = "${className}"\n`,
  );
  const classes = Object.values(OBJECTS).map((className) => `"${className}"`);
  const migration = `[[migrations]]\ntag = "bench"\nnew_sqlite_classes = [${classes.join(', ')}]\n`;
  const queues = Object.entries(QUEUES).map(([name, { queue, as }]) => {
    const producer = `[[queues.producers]]\nbinding = "${name}"\nqueue = "${queue}"\n`;
    return `${producer}\n${consumerOf(text, as).replaceAll(`"${as}"`, `"${queue}"`)}\n`;
  });
  return [...objects, migration, ...queues].join('\n');
}

/** The table of a queue's consumer in wrangler.toml. */
function consumerOf(text: string, queue: string): string {
  const table = text
    .split('\n\n')
    .map((block) => block.slice(block.indexOf('[[queues.consumers]]')))
    .find((block) => block.startsWith(`[[queues.consumers]]\nqueue = "${queue}"\n`));
  if (table === undefined) throw new Error(`wrangler.toml has no consumer of ${queue}`);
  return table;
}

/** Writes it beside wrangler.toml, whose paths are relative to it; its file name. */
export function writeBenchConfig(): string {
  const text = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');
  if (!text.includes(MAIN)) throw new Error(`wrangler.toml has no line ${MAIN}`);
  const name = 'wrangler.bench.toml';
  writeFileSync(
    join(ROOT, name),
    `${text.replace(MAIN, 'main = "bench/worker.ts"').replace(VARS, [VARS, ...BENCH_VARS].join('\n'))}\n${yardsticks(text)}`,
  );
  return name;
}
