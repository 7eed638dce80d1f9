/**
 * What `npm run keys` is asked for: the command line and the environment, read into one request and checked, before anything is
 * sent. Knows no HTTP; called by scripts/keys.ts.
 */
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { KEY_SCOPES } from '../../src/domain/api-key.ts';
import { CLIENT_ID_PATTERN } from '../../src/domain/ids.ts';
import { DEFAULT_PORT } from '../local-worker.ts';

export const USAGE = `npm run keys -- <command> [options]

  create   --merchant <id> | --platform   --scopes <a,b>   --name <text>   [--expires <RFC 3339>]
  list     [--merchant <id>]
  rotate   <key id>   [--overlap <seconds>]   [--expires <RFC 3339>]
  revoke   <key id>

  --reason <text>    why, for the audit log: needed for all but list
  --actor <name>     who; absent: the name that you are logged in with
  --origin <url>     absent: http://localhost:${DEFAULT_PORT}
  --key <key>        an API key with the scope ops; better in the environment, as HOLDFAST_API_KEY

Scopes: ${KEY_SCOPES.join(', ')}. A platform key has ops.
For the first key: API_KEY_SECRET in the environment, and neither --key nor HOLDFAST_API_KEY.
The new key is written to standard output, once; nobody can show it again.`;

/** Not asked rightly: nothing was sent. */
export class UsageError extends Error {}

export interface Credentials {
  readonly origin: URL;
  readonly apiKey: string | null;
  readonly apiKeySecret: string | null;
}

export type KeysRequest = Credentials &
  (
    | { readonly command: 'list'; readonly query: Record<string, string> }
    | {
        readonly command: 'create' | 'rotate' | 'revoke';
        readonly method: 'POST';
        readonly path: string;
        readonly body: object;
      }
  );

type Environment = Readonly<Record<string, string | undefined>>;
type Values = ReturnType<typeof parsed>['values'];

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        merchant: text,
        platform: { type: 'boolean' },
        scopes: text,
        name: text,
        expires: text,
        overlap: text,
        reason: text,
        actor: text,
        origin: text,
        key: text,
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @throws UsageError for what cannot be asked so. */
export function readRequest(args: readonly string[], environment: Environment): KeysRequest | 'help' {
  const { values, positionals } = parsed(args);
  const [command, id, ...more] = positionals;
  if (values.help === true || command === 'help') return 'help';
  const credentials = credentialsOf(values, environment);
  if (more.length > 0) throw new UsageError(`What is ${more.join(' ')}?`);
  switch (command) {
    case 'create':
      if (id !== undefined) throw new UsageError(`What is ${id}? A key's id is minted.`);
      return { ...credentials, command, method: 'POST', path: '/ops/api-keys', body: createBody(values) };
    case 'list':
      if (id !== undefined) throw new UsageError(`What is ${id}?`);
      return { ...credentials, command, query: values.merchant === undefined ? {} : { merchant: values.merchant } };
    case 'rotate':
    case 'revoke': {
      if (id === undefined || !/^ak_\w+$/.test(id)) throw new UsageError(`${command} needs the id of a key: ak_…`);
      const body = { ...wordOf(values), ...(command === 'rotate' && rotateBody(values)) };
      return { ...credentials, command, method: 'POST', path: `/ops/api-keys/${id}/${command}`, body };
    }
    default:
      throw new UsageError(command === undefined ? 'Say what to do.' : `${command} is no command.`);
  }
}

/** A key goes before the secret: what is done with it is in the audit log under its own id. */
function credentialsOf({ origin: text, key }: Values, environment: Environment): Credentials {
  const origin = URL.parse(text ?? `http://localhost:${DEFAULT_PORT}`);
  if (origin === null || !/^https?:$/.test(origin.protocol)) throw new UsageError(`--origin ${text}: must be a URL.`);
  if (origin.protocol === 'http:' && !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(origin.hostname)) {
    throw new UsageError(`--origin ${text}: must be https, so that nobody on the way reads the key.`);
  }
  const apiKey = key ?? environment.HOLDFAST_API_KEY ?? '';
  const secret = environment.API_KEY_SECRET ?? '';
  if (apiKey === '' && secret !== '' && secret.length < 32) {
    throw new UsageError('API_KEY_SECRET has fewer than 32 characters: it is not the one of any instance.');
  }
  return { origin, apiKey: apiKey === '' ? null : apiKey, apiKeySecret: secret === '' ? null : secret };
}

function createBody({
  merchant,
  platform = false,
  scopes = platform ? 'ops' : undefined,
  name,
  expires,
  ...word
}: Values) {
  if (platform && merchant !== undefined) throw new UsageError('--merchant or --platform, not both.');
  if (scopes === undefined) throw new UsageError(`--scopes is needed: some of ${KEY_SCOPES.join(', ')}.`);
  if (name === undefined) throw new UsageError('--name is needed: what the key is for.');
  const listed = scopes.split(',').map((scope) => scope.trim());
  const unknown = listed.filter((scope) => !KEY_SCOPES.some((each) => each === scope));
  if (unknown.length > 0) throw new UsageError(`--scopes: ${unknown.join(', ')} is none of ${KEY_SCOPES.join(', ')}.`);
  // With none of the two it is of the merchant of the key that asks.
  const whose = platform ? { merchant: null } : merchant !== undefined && { merchant };
  return { ...wordOf(word), ...whose, scopes: listed, name, ...(expires !== undefined && { expires_at: expires }) };
}

function rotateBody({ overlap, expires }: Values) {
  if (overlap !== undefined && !/^[0-9]{1,7}$/.test(overlap)) throw new UsageError('--overlap is in whole seconds.');
  return {
    ...(overlap !== undefined && { overlap_seconds: Number(overlap) }),
    ...(expires !== undefined && { expires_at: expires }),
  };
}

function wordOf({ actor = userInfo().username, reason }: Pick<Values, 'actor' | 'reason'>) {
  if (!CLIENT_ID_PATTERN.test(actor))
    throw new UsageError('--actor is needed: 1 to 64 letters, digits, "-", "_", "." or ":".');
  if (reason === undefined || reason === '') throw new UsageError('--reason is needed: it is kept in the audit log.');
  return { actor, reason };
}
