/**
 * Pure: what is wanted and what is there → what is to be done, in order. Nothing is ever deleted or renamed. A second run on the
 * same account plans a deploy and its check, and nothing else: that is what makes the script idempotent.
 */
import type { Wanted } from './config.ts';

/** What the account has of what is wanted. */
export interface Found {
  /** Ids by name. */
  readonly databases: ReadonlyMap<string, string>;
  readonly queues: ReadonlySet<string>;
  readonly buckets: ReadonlySet<string>;
  /** Names of the secrets; null: there is no such Worker. */
  readonly secrets: ReadonlySet<string> | null;
  /** Files that have not been applied. */
  readonly pendingMigrations: readonly string[];
}

export type Step =
  | { readonly do: 'create_database' | 'create_queue' | 'create_bucket'; readonly name: string }
  | { readonly do: 'migrate'; readonly files: readonly string[] }
  | { readonly do: 'set_secrets'; readonly names: readonly string[] }
  | { readonly do: 'deploy' | 'check' | 'first_key'; readonly name: string };

/**
 * The order matters. What is bound comes before the Worker that binds it. The database is migrated before the code that needs it:
 * a migration must suit the code before it, too. Secrets come before the code that needs them, but for the first deploy,
 * which makes the Worker: until they are there it refuses everything.
 * @param secrets names of those that will be set. @param isMade nobody knows API_KEY_SECRET, so that no key could be made later.
 */
export function planOf(wanted: Wanted, found: Found, secrets: readonly string[], isMade = false): readonly Step[] {
  const isNew = found.secrets === null;
  const set: Step[] = secrets.length === 0 ? [] : [{ do: 'set_secrets', names: secrets }];
  return [
    ...missing(wanted.databases, found.databases).map((name): Step => ({ do: 'create_database', name })),
    ...missing(wanted.queues, found.queues).map((name): Step => ({ do: 'create_queue', name })),
    ...missing(wanted.buckets, found.buckets).map((name): Step => ({ do: 'create_bucket', name })),
    ...(found.pendingMigrations.length === 0 ? [] : [{ do: 'migrate' as const, files: found.pendingMigrations }]),
    ...(isNew ? [] : set),
    { do: 'deploy', name: wanted.worker },
    ...(isNew ? set : []),
    { do: 'check', name: wanted.worker },
    ...(isMade ? [{ do: 'first_key' as const, name: wanted.worker }] : []),
  ];
}

function missing(wanted: readonly string[], found: { has(name: string): boolean }): readonly string[] {
  return wanted.filter((name) => !found.has(name));
}

/** The plan as it is told before anything is done. */
export function toldPlan(wanted: Wanted, found: Found, steps: readonly Step[]): string {
  const there = [
    ...wanted.databases.filter((name) => found.databases.has(name)).map((name) => `D1 database ${name}`),
    ...wanted.queues.filter((name) => found.queues.has(name)).map((name) => `queue ${name}`),
    ...wanted.buckets.filter((name) => found.buckets.has(name)).map((name) => `R2 bucket ${name}`),
    ...(found.secrets === null ? [] : [`Worker ${wanted.worker}`]),
    ...[...(found.secrets ?? [])].map((name) => `secret ${name}`),
  ];
  return [...there.map((each) => `  found    ${each}`), ...steps.map((step) => `  ${toldStep(step)}`)].join('\n');
}

export function toldStep(step: Step): string {
  switch (step.do) {
    case 'create_database':
      return `create   D1 database ${step.name}`;
    case 'create_queue':
      return `create   queue ${step.name}`;
    case 'create_bucket':
      return `create   R2 bucket ${step.name}`;
    case 'migrate':
      return `migrate  ${step.files.join(', ')}`;
    case 'set_secrets':
      return `secret   ${step.names.join(', ')}`;
    case 'deploy':
      return `deploy   Worker ${step.name}, with the Durable Objects' migrations that it has not had`;
    case 'check':
      return `check    that ${step.name} answers /health, and refuses who has no key`;
    case 'first_key':
      return `key      the first API key, for an operator, shown once`;
  }
}
