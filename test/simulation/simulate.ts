/**
 * `npm run simulate -- --sagas 1000000 --seed N`: runs the simulator on demand, and prints what `docs/proof.md` quotes. Ends
 * with 1 when an invariant broke, or a cell of the fault matrix was hit too seldom. `--world N` tells the story of one
 * world.
 */
import { readCommandLine, wholeNumber } from '../../scripts/command-line.ts';
import { brokenStory, figures, HITS_MIN, matrixReport, missed, SAGAS_FOR_MATRIX, stopwatch } from './report.ts';
import { runSagas, runWorld } from './run.ts';

const SAGAS_DEFAULT = 100_000;
/** The date of the first run: any number does. */
const SEED_DEFAULT = 20_261_124;

const USAGE = `npm run simulate -- [--sagas N] [--seed N] | --world N

  --sagas  absent: ${SAGAS_DEFAULT}
  --seed   absent: ${SEED_DEFAULT}
  --world  tells the story of one world`;

const { values } = readCommandLine(USAGE, {
  sagas: { type: 'string' },
  seed: { type: 'string' },
  world: { type: 'string' },
});
const sagas = wholeNumber(USAGE, '--sagas', values.sagas, { otherwise: SAGAS_DEFAULT, min: 1 });
const seed = wholeNumber(USAGE, '--seed', values.seed, { otherwise: SEED_DEFAULT });
const world = wholeNumber(USAGE, '--world', values.world, { otherwise: 0 });

process.exitCode = values.world === undefined ? simulate() : tell(world);

function simulate(): number {
  const took = stopwatch();
  const progress = (done: number) => process.stderr.write(`\r${done} sagas`);
  const result = runSagas({ seed, sagas, progress });
  process.stderr.write('\r');
  console.log(figures(result, took()));
  console.log(matrixReport(result));
  const seldom = sagas < SAGAS_FOR_MATRIX ? [] : missed(result, HITS_MIN);
  for (const line of seldom) console.error(`too seldom: ${line}`);
  if (result.broken !== null) console.error(brokenStory(result));
  return result.broken === null && seldom.length === 0 ? 0 : 1;
}

function tell(worldSeed: number): number {
  const { violation } = runWorld({ seed: worldSeed, tell: (line) => console.log(line) });
  console.log(violation === null ? 'every invariant holds' : violation.message);
  return violation === null ? 0 : 1;
}
