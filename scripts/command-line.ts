/**
 * How a script reads its command line: what it does not know is refused with a sentence and its usage, before anything is started,
 * and `--help` shows the usage and does nothing else. `npm run keys`, `deploy` and `archive` have commands of their own, and their own words.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Options by their names, and what stands without one where `allowPositionals` is said. Ends the process with 0 after `--help`, with 2 for
 * what is not known.
 */
export function readCommandLine<const Known extends Options>(usage: string, options: Known, allowPositionals = false) {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ args, options, allowPositionals });
  } catch (error) {
    // Its second sentence is how to write what we do not take.
    const [reason] = messageOf(error).split('. ');
    return refuse(`${reason}.`, usage);
  }
}

/** Not asked rightly: says why, and how it is. Nothing may have been started: it ends the process with 2. */
export function refuse(reason: string, usage: string): never {
  console.error(`${reason}\n\n${usage}`);
  process.exit(2);
}

interface Bounds {
  /** Where the option is absent. */
  readonly otherwise: number;
  /** 0, where it is not said. */
  readonly min?: number;
  readonly max?: number;
}

/** The number that an option has. Ends the process with 2 for what is none, or is out of bounds. */
export function wholeNumber(
  usage: string,
  option: string,
  text: string | undefined,
  { otherwise, min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds,
): number {
  if (text === undefined) return otherwise;
  const number = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  const upTo = max === Number.MAX_SAFE_INTEGER ? 'on' : `to ${max}`;
  return refuse(`${option} ${text}: a whole number from ${min} ${upTo}.`, usage);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why `fetch` found nobody: its own message says only that it failed. */
export function unreachable(url: string, error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  // Of several addresses that all refuse, the error has a code and no message.
  const reason = messageOf(cause) || Reflect.get(Object(cause), 'code');
  return `${url} cannot be reached: ${reason}`;
}
