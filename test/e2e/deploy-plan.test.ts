/** The pure parts of `npm run deploy`: what is deployed for an environment, which secrets that takes, and what is planned. */

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { secretsToSet, terminalAsker } from '../../scripts/deploy/ask.ts';
import { carryOut, type Work } from '../../scripts/deploy/carry-out.ts';
import { checkDeployed } from '../../scripts/deploy/check.ts';
import { configOf, ENVIRONMENTS, wantedBy, withDatabaseIds } from '../../scripts/deploy/config.ts';
import { type Found, planOf, toldPlan } from '../../scripts/deploy/plan.ts';
import { isValid, lacking, NOT_SECRETS, SECRET_GROUPS } from '../../scripts/deploy/secrets.ts';
import { parseConfig, varsSchema } from '../../src/config.ts';

const committed = parse(readFileSync('wrangler.toml', 'utf8')) as unknown as Committed;
interface Committed {
  readonly name: string;
  readonly vars: Readonly<Record<string, string>>;
  readonly queues: {
    readonly producers: readonly { queue: string }[];
    readonly consumers: readonly { queue: string }[];
  };
}

const VALUES: Readonly<Record<string, string>> = {
  API_KEY_SECRET: 'k'.repeat(32),
  STRIPE_SECRET_KEY: 'sk_live_12345678',
  STRIPE_WEBHOOK_SECRET: 'whsec_12345678',
  MERCADO_PAGO_ACCESS_TOKEN: 'APP_USR-12345678',
  MERCADO_PAGO_WEBHOOK_SECRET: '12345678',
  MERCADO_PAGO_CURRENCY: 'CLP',
};

async function answering(answers: Readonly<Record<string, number>>): Promise<{ origin: string; server: Server }> {
  const server = createServer((request, response) => {
    response.statusCode = answers[request.url ?? ''] ?? 404;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

describe('the configuration of an environment', () => {
  test('live is the committed one as it stands', () => {
    expect(configOf('live', committed)).toEqual(committed);
  });

  test.each(ENVIRONMENTS)('%s reaches its own zone by the front door, as anybody does', (environment) => {
    expect(configOf(environment, committed)).toMatchObject({
      compatibility_flags: expect.arrayContaining(['global_fetch_strictly_public']),
    });
  });

  test.each(ENVIRONMENTS)(
    '%s: the platform keeps no line of its own, which would have a request’s address',
    (environment) => {
      expect(configOf(environment, committed)).toMatchObject({
        observability: { redact_query_string: true, logs: { enabled: true, invocation_logs: false } },
      });
    },
  );

  test.each([{ route: 'pay.example.com/*' }, { routes: [{ pattern: 'pay.example.com', custom_domain: true }] }])(
    'live at %o has no second door at workers.dev, and the sandbox no other',
    (own) => {
      expect(configOf('live', { ...committed, ...own })).toEqual({ ...committed, ...own, workers_dev: false });
      expect(configOf('sandbox', { ...committed, ...own })).toEqual(configOf('sandbox', committed));
      expect(configOf('sandbox', committed)).toMatchObject({ workers_dev: true });
    },
  );

  test('the sandbox shares no name with live, but the Worker is the same, and is closed', () => {
    const [live, sandbox] = [wantedBy(configOf('live', committed)), wantedBy(configOf('sandbox', committed))];
    const names = ({ worker, databases, queues, buckets }: typeof live) => [
      worker,
      ...databases,
      ...queues,
      ...buckets,
    ];
    expect(names(live).filter((name) => names(sandbox).includes(name))).toEqual([]);
    expect(names(sandbox)).toHaveLength(names(live).length);
    expect(configOf('sandbox', committed)).toMatchObject({
      vars: { MODE: 'sandbox', AUTH: 'required' },
      main: 'src/index.ts',
    });
    expect(sandbox.queues).toContain('sandbox-wallet-commands-dlq');
  });

  test.each(ENVIRONMENTS)('%s: what is not closed is refused', (environment) => {
    const open = { ...committed, vars: { ...committed.vars, AUTH: 'open' } };
    expect(() => configOf(environment, open)).toThrow('AUTH = "open"');
    const sandbox = { ...committed, vars: { ...committed.vars, MODE: 'sandbox' } };
    expect(() => configOf(environment, sandbox)).toThrow('MODE = "sandbox"');
    const unlimited = { ...committed, vars: { ...committed.vars, RATE_LIMITS: 'off' } };
    expect(() => configOf(environment, unlimited)).toThrow('RATE_LIMITS');
    expect(() => configOf(environment, { name: 'holdfast' })).toThrow('vars');
  });

  test('a queue that nobody consumes is refused, a dead-letter queue too', () => {
    const { consumers } = committed.queues;
    for (const lost of ['wallet-commands', 'payment-events-dlq', 'dead-letters']) {
      const queues = { ...committed.queues, consumers: consumers.filter(({ queue }) => queue !== lost) };
      expect(() => configOf('live', { ...committed, queues })).toThrow(`nothing consumes the queue ${lost}`);
    }
  });

  test('buckets and rate limits are the environment’s own, and databases get the ids that the account has', () => {
    const withBucket = { ...committed, r2_buckets: [{ binding: 'ARCHIVE', bucket_name: 'holdfast-archive' }] };
    expect(wantedBy(configOf('live', withBucket)).buckets).toEqual(['holdfast-archive']);
    expect(wantedBy(configOf('sandbox', withBucket)).buckets).toEqual(['holdfast-archive-sandbox']);
    const limited = { ...committed, ratelimits: [{ name: 'KEY_RATE_LIMIT', namespace_id: '7102' }] };
    expect(configOf('sandbox', limited).ratelimits).toEqual([{ name: 'KEY_RATE_LIMIT', namespace_id: '97102' }]);
    const ids = new Map([['holdfast', 'its-id']]);
    expect(withDatabaseIds(configOf('live', committed), ids).d1_databases[0]?.database_id).toBe('its-id');
    expect(withDatabaseIds(configOf('sandbox', committed), ids).d1_databases[0]?.database_id).toMatch(/^0{8}-/);
  });
});

describe('secrets', () => {
  test('are every var that the Worker reads, but those that wrangler.toml sets', () => {
    const read = Object.keys(varsSchema.shape);
    const secrets = SECRET_GROUPS.flatMap((group) => group.names);
    expect(read.filter((name) => !secrets.includes(name) && !NOT_SECRETS.includes(name))).toEqual([]);
    expect(secrets.filter((name) => !read.includes(name))).toEqual([]);
  });

  test('what is called whole is what the Worker takes, and what is lacking is what it refuses', () => {
    const whole = ['API_KEY_SECRET', 'STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'];
    const env = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, VALUES[name]]));
    const closed = { MODE: 'live', AUTH: 'required' };
    for (const names of [
      whole,
      Object.keys(VALUES),
      whole.slice(0, 2),
      whole.slice(0, 1),
      whole.slice(1),
      [...whole, 'MERCADO_PAGO_CURRENCY'],
    ]) {
      expect(lacking('live', new Set(names)).length === 0, names.join()).toBe(
        parseConfig({ ...closed, ...env(names) }).ok,
      );
    }
    expect(lacking('sandbox', new Set(['API_KEY_SECRET']))).toEqual([]);
  });

  test('are judged by the Worker’s own rules', () => {
    for (const [name, value] of Object.entries(VALUES)) expect(isValid(name, value), name).toBe(true);
    expect(isValid('STRIPE_SECRET_KEY', 'whsec_12345678')).toBe(false);
    expect(isValid('API_KEY_SECRET', 'short')).toBe(false);
    expect(isValid('UNHEARD_OF', 'x')).toBe(false);
  });

  const nobody = { environment: 'live' as const, has: new Set<string>(), anew: [], env: {}, asker: null };

  test('come from the environment; what is there is left alone, unless it is set anew', async () => {
    const env = Object.fromEntries(Object.entries(VALUES).slice(0, 3));
    const { values, isMade } = await secretsToSet({ ...nobody, env });
    expect([...values]).toEqual(Object.entries(env));
    expect(isMade).toBe(false);
    const has = new Set(values.keys());
    expect((await secretsToSet({ ...nobody, env, has })).values).toEqual(new Map());
    const anew = await secretsToSet({ ...nobody, env, has, anew: ['STRIPE_SECRET_KEY'] });
    expect([...anew.values.keys()]).toEqual(['STRIPE_SECRET_KEY']);
  });

  test('that are missing, not valid or unknown are named, never shown', async () => {
    const ask = (changes: object) => async () => secretsToSet({ ...nobody, ...changes });
    await expect(ask({})).rejects.toThrow(
      'Missing: API_KEY_SECRET, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, MERCADO_PAGO_ACCESS_TOKEN',
    );
    await expect(ask({ env: { STRIPE_SECRET_KEY: 'sk_live_12345678' } })).rejects.toThrow('STRIPE_WEBHOOK_SECRET');
    await expect(ask({ env: { ...VALUES, API_KEY_SECRET: '' } })).rejects.toThrow('Missing: API_KEY_SECRET.');
    const wrong = ask({ env: { STRIPE_SECRET_KEY: 'the-secret' } });
    await expect(wrong).rejects.toThrow('Not valid: STRIPE_SECRET_KEY');
    await expect(wrong).rejects.not.toThrow('the-secret');
    await expect(ask({ anew: ['PATH'] })).rejects.toThrow('PATH is no secret of live');
  });

  test('are asked for: a provider that is not used is passed over, a mistyped one asked again', async () => {
    const answers = ['', 'nonsense', 'sk_live_12345678', 'whsec_12345678'];
    const asked: string[] = [];
    const asker = {
      say: (text: string) => asked.push(text),
      ask: async (question: string) => {
        asked.push(question.trim());
        return answers.shift() ?? '';
      },
    };
    const { values, isMade } = await secretsToSet({ ...nobody, asker });
    expect(isMade).toBe(true);
    expect(isValid('API_KEY_SECRET', values.get('API_KEY_SECRET') ?? '')).toBe(true);
    expect([...values.keys()]).toEqual(['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'API_KEY_SECRET']);
    expect(asked).toContain('  That is no STRIPE_SECRET_KEY.');
    expect(asked.some((each) => each.startsWith('MERCADO_PAGO'))).toBe(false);
  });

  test('are not shown while they are typed', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const asker = terminalAsker(input, output);
    const answer = asker.ask('  API_KEY_SECRET: ');
    input.write('typed-in-secret\n');
    expect(await answer).toBe('typed-in-secret');
    expect(String(output.read())).toBe('  API_KEY_SECRET: \n');
  });
});

describe('a plan', () => {
  const wanted = { worker: 'w', databases: ['d'], queues: ['q', 'q-dlq'], buckets: ['b'] };
  const empty: Found = {
    databases: new Map(),
    queues: new Set(),
    buckets: new Set(),
    secrets: null,
    pendingMigrations: ['0001.sql'],
  };
  const whole: Found = {
    databases: new Map([['d', 'id']]),
    queues: new Set(['q', 'q-dlq']),
    buckets: new Set(['b']),
    secrets: new Set(['API_KEY_SECRET']),
    pendingMigrations: [],
  };
  const done = (found: Found, secrets: readonly string[] = []) => planOf(wanted, found, secrets).map((step) => step.do);

  test('on an empty account makes everything, in the order in which each needs the other', () => {
    expect(done(empty, ['API_KEY_SECRET'])).toEqual([
      'create_database',
      'create_queue',
      'create_queue',
      'create_bucket',
      'migrate',
      'deploy',
      'set_secrets',
      'check',
    ]);
  });

  test('on one where all is there only deploys, and checks', () => {
    expect(done(whole)).toEqual(['deploy', 'check']);
  });

  test('gives a Worker that is there its secrets before the code that needs them', () => {
    expect(done(whole, ['STRIPE_SECRET_KEY'])).toEqual(['set_secrets', 'deploy', 'check']);
  });

  test('makes only what is missing', () => {
    expect(planOf(wanted, { ...whole, queues: new Set(['q']), pendingMigrations: ['0002.sql'] }, [])).toEqual([
      { do: 'create_queue', name: 'q-dlq' },
      { do: 'migrate', files: ['0002.sql'] },
      { do: 'deploy', name: 'w' },
      { do: 'check', name: 'w' },
    ]);
  });

  test('makes the first key at the end, where nobody will know the secret that makes keys', () => {
    expect(planOf(wanted, empty, ['API_KEY_SECRET'], true).at(-1)?.do).toBe('first_key');
  });

  /** Every call of wrangler succeeds but those that begin with `failsAt`. */
  const workAt = (url: string, calls: string[], failsAt?: string): Work => ({
    wrangler: async (args, options) => {
      const call = args.join(' ');
      calls.push(call);
      if (failsAt !== undefined && call.startsWith(failsAt)) return { code: 1, stdout: '', all: 'connection reset' };
      const output = options?.env?.WRANGLER_OUTPUT_FILE_PATH;
      if (output !== undefined) writeFileSync(output, '{"type":"deploy","targets":["https://elsewhere.test"]}\n');
      return { code: 0, stdout: '', all: '' };
    },
    configFile: 'c.json',
    tag: 'abc',
    secrets: new Map(),
    url,
    refreshConfig: async () => undefined,
    makeKey: async (at) => {
      calls.push(`key ${at}`);
    },
    say: () => undefined,
    interrupted: new Promise(() => undefined),
  });

  test('is carried out where --url says, too: deployed, checked and given its key there', async () => {
    const { origin, server } = await answering({ '/health': 200, '/payments': 401 });
    const calls: string[] = [];
    await carryOut(planOf(wanted, whole, [], true), workAt(origin, calls));
    expect(calls).toEqual(['deploy --config c.json --tag abc', `key ${origin}`]);
    server.close();
  });

  describe('that breaks off', () => {
    const CLOSED = { '/health': 200, '/payments': 401 };
    const OPEN = { ...CLOSED, '/payments': 200 };
    const UNCONFIGURED = { ...CLOSED, '/payments': 503 };
    const ADVICE = '--set API_KEY_SECRET';
    const failedKey = { makeKey: () => Promise.reject(new Error('no answer')) };
    const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
    /** Ctrl-C while the check waits for the Worker. */
    const byHand = {
      interrupted,
      say: (line: string) => {
        if (line.startsWith('check')) interrupt(new Error('Interrupted.'));
      },
    };

    async function broken(found: Found, isMade: boolean, { failsAt, answers = CLOSED, ...changes }: Break) {
      const { origin, server } = await answering(answers);
      const steps = planOf(wanted, found, ['API_KEY_SECRET'], isMade);
      try {
        await carryOut(steps, { ...workAt(origin, [], failsAt), ...changes });
        return 'nothing';
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      } finally {
        server.close();
      }
    }
    interface Break extends Partial<Work> {
      readonly failsAt?: string;
      readonly answers?: Readonly<Record<string, number>>;
    }

    test.each<[string, Found, Break, string]>([
      ['while a new Worker gets it', empty, { failsAt: 'secret bulk' }, 'connection reset'],
      ['while one that is there gets it', whole, { failsAt: 'secret bulk' }, 'connection reset'],
      ['at the deploy that follows it', whole, { failsAt: 'deploy' }, 'connection reset'],
      ['at the check', empty, { answers: OPEN }, 'IS OPEN'],
      ['by hand', empty, { answers: UNCONFIGURED, ...byHand }, 'Interrupted.'],
      ['at the key', empty, failedKey, 'no answer'],
    ])('between a secret made by chance and its key, %s, says how to get one', async (_when, found, how, why) => {
      const said = await broken(found, true, how);
      expect(said).toContain(why);
      expect(said).toContain(ADVICE);
    });

    test.each<[string, boolean, Break]>([
      ['before the secret, which the next run makes', true, { failsAt: 'd1 migrations' }],
      ['at the deploy before it', true, { failsAt: 'deploy' }],
      ['where somebody knows the secret', false, { answers: OPEN }],
    ])('%s, says nothing of it', async (_when, isMade, how) => {
      const said = await broken(empty, isMade, how);
      expect(said).not.toBe('nothing');
      expect(said).not.toContain(ADVICE);
    });
  });

  test('is told: what is found, then what is done', () => {
    const told = toldPlan(wanted, whole, planOf(wanted, whole, []));
    expect(told.split('\n').map((line) => line.trim().split(/\s+/)[0])).toEqual([
      ...Array<string>(6).fill('found'),
      'deploy',
      'check',
    ]);
  });
});

describe('the check of what is deployed', () => {
  test.each([
    [{ '/health': 200, '/payments': 401 }, null],
    [{ '/health': 200, '/payments': 503 }, 'a secret is missing'],
    [{ '/health': 200, '/payments': 200 }, 'IS OPEN'],
    [{ '/health': 500, '/payments': 401 }, '/health answers 500'],
  ])('%j: %s', async (answers, wrong) => {
    const { origin, server } = await answering(answers);
    const check = async () => checkDeployed(origin, { boundMs: 0 });
    if (wrong === null) await check();
    else await expect(check).rejects.toThrow(wrong);
    await new Promise((resolve) => server.close(resolve));
  });
});
