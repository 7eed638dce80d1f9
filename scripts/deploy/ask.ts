/**
 * Where secrets come from: the environment, under their own names, or a person at a terminal, unseen. They are held in memory,
 * handed to wrangler's stdin, and never printed, written or passed as an argument.
 */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Environment } from './config.ts';
import { DeployError } from './fail.ts';
import { API_KEY_SECRET, groupsOf, isValid, lacking, type SecretGroup } from './secrets.ts';

/** 256 bits: an HMAC-SHA-256 key. */
const GENERATED_BYTES = 32;
/** A person who mistypes three times has the wrong value at hand. */
const TRIES_MAX = 3;

export interface Asker {
  /** Empty: nothing was entered. */
  readonly ask: (question: string) => Promise<string>;
  readonly say: (text: string) => void;
}

export interface SecretsToSet {
  readonly values: ReadonlyMap<string, string>;
  /** API_KEY_SECRET was made by chance. */
  readonly isMade: boolean;
}

export interface SecretsOptions {
  readonly environment: Environment;
  /** Names that the Worker has. */
  readonly has: ReadonlySet<string>;
  /** Names to set anew although it has them. */
  readonly anew: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** null: nobody is there to be asked. */
  readonly asker: Asker | null;
}

/**
 * The secrets to set. Taken in order: from the environment, from the person, and API_KEY_SECRET, where a person is there and gives none,
 * by chance: nobody knows it then, so that the first API key must be made in the same run. What the Worker has is left
 * alone, unless it is named in `anew`.
 * @throws DeployError naming everything that is missing or not valid, before anything has been done.
 */
export async function secretsToSet(options: SecretsOptions): Promise<SecretsToSet> {
  const { environment, env, asker, anew } = options;
  const known = groupsOf(environment).flatMap(({ names }) => names);
  const strange = anew.filter((name) => !known.includes(name));
  if (strange.length > 0) throw new DeployError(`--set: ${strange.join(', ')} is no secret of ${environment}`);
  const has = new Set([...options.has].filter((name) => !anew.includes(name)));
  const values = new Map<string, string>();
  for (const name of known) {
    const value = env[name];
    if (!has.has(name) && value !== undefined && value !== '') values.set(name, value);
  }
  requireValid(values);
  const lacks = () => lacking(environment, new Set([...has, ...values.keys()]));
  if (asker !== null) {
    for (const { group } of lacks())
      await askGroup(asker, group, has, values, () => lacks().some((lack) => lack.group === group));
    for (const name of anew) if (!values.has(name)) await askOne(asker, name, values);
  }
  const isMade = asker !== null && lacks().some(({ names }) => names.includes(API_KEY_SECRET));
  if (isMade) {
    values.set(API_KEY_SECRET, randomBytes(GENERATED_BYTES).toString('base64url'));
  }
  const missing = [...lacks().flatMap(({ names }) => names), ...anew.filter((name) => !values.has(name))];
  if (missing.length > 0) {
    throw new DeployError(
      `Missing: ${[...new Set(missing)].join(', ')}. Set them in the environment, or run this at a terminal.`,
    );
  }
  return { values, isMade };
}

function requireValid(values: ReadonlyMap<string, string>): void {
  const wrong = [...values].filter(([name, value]) => !isValid(name, value)).map(([name]) => name);
  if (wrong.length > 0) throw new DeployError(`Not valid: ${wrong.join(', ')} (src/config.ts says what is)`);
}

/** A group of which none is entered is passed over; one that is begun is asked for whole. */
async function askGroup(
  asker: Asker,
  group: SecretGroup,
  has: ReadonlySet<string>,
  values: Map<string, string>,
  isStillLacking: () => boolean,
): Promise<void> {
  if (!isStillLacking()) return;
  const hint = group.names.includes(API_KEY_SECRET)
    ? ' (empty: one is made)'
    : group.need === 'one_of'
      ? ' (empty: not used)'
      : '';
  asker.say(`${group.title}${hint}`);
  for (const name of group.names.filter((each) => !has.has(each) && !values.has(each))) {
    if (!(await askOne(asker, name, values))) return;
  }
}

async function askOne(asker: Asker, name: string, values: Map<string, string>): Promise<boolean> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const value = (await asker.ask(`  ${name}: `)).trim();
    if (value === '') return false;
    if (isValid(name, value)) {
      values.set(name, value);
      return true;
    }
    asker.say(`  That is no ${name}.`);
  }
  throw new DeployError(`No valid ${name} was entered.`);
}

/** Asks at a terminal; what is typed is not shown. */
export function terminalAsker(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Asker {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return {
    say: (text) => output.write(`${text}\n`),
    ask: async (question) => {
      output.write(question);
      // `terminal`: it echoes by itself, to nowhere, and the terminal does not.
      const lines = createInterface({ input, output: nowhere, terminal: true });
      try {
        return await lines.question('');
      } finally {
        lines.close();
        output.write('\n');
      }
    },
  };
}
