/**
 * Pure: the vars and secrets that an environment needs besides MODE and AUTH, by what they are for, and whether a value is one.
 * All are uploaded as secrets, also those that are none: what wrangler.toml does not list is deleted by a deploy, a secret
 * never is. Values are never part of a message.
 */
import { varsSchema } from '../../src/config.ts';
import type { Environment } from './config.ts';

export interface SecretGroup {
  readonly title: string;
  /** All of them, or none. */
  readonly names: readonly string[];
  /** `one_of`: at least one group of that kind. `optional` is never asked for, and taken where the environment has it. */
  readonly need: 'required' | 'one_of' | 'optional';
  readonly environments: readonly Environment[];
}

export const API_KEY_SECRET = 'API_KEY_SECRET';

export const SECRET_GROUPS: readonly SecretGroup[] = [
  {
    title: 'API keys are stored as HMACs under it',
    names: [API_KEY_SECRET],
    need: 'required',
    environments: ['sandbox', 'live'],
  },
  {
    title: 'Stripe',
    names: ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'],
    need: 'one_of',
    environments: ['live'],
  },
  {
    title: 'Mercado Pago',
    names: ['MERCADO_PAGO_ACCESS_TOKEN', 'MERCADO_PAGO_WEBHOOK_SECRET', 'MERCADO_PAGO_CURRENCY'],
    need: 'one_of',
    environments: ['live'],
  },
  {
    title: 'Notifications by email',
    names: ['NOTIFY_EMAIL_FROM', 'NOTIFY_EMAIL_TO'],
    need: 'optional',
    environments: ['sandbox', 'live'],
  },
  ...['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_TRACES_SAMPLER_ARG'].map(
    (name): SecretGroup => ({ title: 'Traces', names: [name], need: 'optional', environments: ['sandbox', 'live'] }),
  ),
];

/** What a deploy sets by wrangler.toml, or never: the last three are for drills and load on a machine of one's own. */
export const NOT_SECRETS = ['MODE', 'AUTH', 'SAGA_RESEND_FIRST_MS', 'SAGA_AUTHORIZE_BUDGET_MS', 'RATE_LIMITS'];

export function groupsOf(environment: Environment): readonly SecretGroup[] {
  return SECRET_GROUPS.filter(({ environments }) => environments.includes(environment));
}

/** Whether the Worker would take it: judged by the very schema that the Worker reads it with. */
export function isValid(name: string, value: string): boolean {
  const schema = Object.entries(varsSchema.shape).find(([each]) => each === name)?.[1];
  return schema?.safeParse(value).success === true;
}

export interface Lack {
  /** To be asked for, or to be read from the environment. */
  readonly names: readonly string[];
  readonly group: SecretGroup;
}

/**
 * What `has` leaves wanting: a required group that is not whole, one that is begun and not whole, and every `one_of` group
 * where none is whole.
 */
export function lacking(environment: Environment, has: ReadonlySet<string>): readonly Lack[] {
  const groups = groupsOf(environment);
  const isWhole = ({ names }: SecretGroup): boolean => names.every((name) => has.has(name));
  const isBegun = ({ names }: SecretGroup): boolean => names.some((name) => has.has(name));
  const isOneWhole = groups.some((group) => group.need === 'one_of' && isWhole(group));
  return groups
    .filter((group) => !isWhole(group))
    .filter((group) => isBegun(group) || group.need === 'required' || (group.need === 'one_of' && !isOneWhole))
    .map((group) => ({ group, names: group.names.filter((name) => !has.has(name)) }));
}
