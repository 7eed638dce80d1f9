// Every POST under /ops that changes something is in the audit log: who, why, with which key, and whose it was; and what cannot be
// written there is not done. The operations are the document's own: a new one fails here until it is in the table, or is said to
// change nothing.
import { createMessageBatch } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { consumeDeadLetters } from '../../queues/dead-letters.ts';
import { auditOperatorsLog, EMPTY_LOG } from '../../src/domain/audit/operators-log.ts';
import { HOUR_MS } from '../../src/domain/limits.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { operatorsLogAfter } from '../../src/read-model/audit.ts';
import { message } from '../queues/messages.ts';
import { ask, CLOSED, type IssuedKey, issue } from '../support/keys.ts';
import { OPERATIONS } from '../support/operations.ts';
import { createPayment, openWallet, terminal } from '../support/payments.ts';
import { inState, pass } from '../support/stuck.ts';

/** Reads alone; a POST, since its cursor may be longer than a URL. */
const CHANGES_NOTHING = ['POST /ops/audit'];

/** What the rows name; each letter, key and saga is for one row alone. */
const ids = { paid: '', retried: '', resolved: '', rotated: '', revoked: '' };
let platform: IssuedKey;

interface Row {
  readonly operation: string;
  readonly path: () => string;
  readonly body?: () => object;
  readonly action: string;
  readonly subject: () => string | RegExp;
  /** Whose thing is changed; nobody's where it is of the whole deployment. */
  readonly merchant: string;
}

const ROWS: readonly Row[] = [
  {
    operation: 'POST /ops/api-keys',
    path: () => '/ops/api-keys',
    body: () => ({ merchant: 'shop', scopes: ['ops'], name: 'n' }),
    action: 'api_key.create',
    subject: () => /^ak_\w{22} shop ops$/,
    merchant: 'shop',
  },
  {
    operation: 'POST /ops/api-keys/{id}/rotate',
    path: () => `/ops/api-keys/${ids.rotated}/rotate`,
    action: 'api_key.rotate',
    subject: () => new RegExp(`^${ids.rotated} ak_\\w{22} 20`),
    merchant: 'shop',
  },
  {
    operation: 'POST /ops/api-keys/{id}/revoke',
    path: () => `/ops/api-keys/${ids.revoked}/revoke`,
    action: 'api_key.revoke',
    subject: () => ids.revoked,
    merchant: 'shop',
  },
  {
    operation: 'POST /ops/breakers/{provider}',
    path: () => '/ops/breakers/borealis',
    body: () => ({ state: 'automatic' }),
    action: 'breaker.force',
    subject: () => 'borealis.all automatic',
    merchant: '*',
  },
  {
    operation: 'POST /ops/dead-letters/redrive',
    path: () => '/ops/dead-letters/redrive',
    body: () => ({ ids: ['letter-many'] }),
    action: 'dead_letter.redrive',
    subject: () => /^letter-many /,
    merchant: 'default',
  },
  {
    operation: 'POST /ops/dead-letters/{id}/redrive',
    path: () => '/ops/dead-letters/letter-one/redrive',
    action: 'dead_letter.redrive',
    subject: () => /^letter-one /,
    merchant: 'default',
  },
  {
    operation: 'POST /ops/dead-letters/{id}/discard',
    path: () => '/ops/dead-letters/letter-gone/discard',
    action: 'dead_letter.discard',
    subject: () => /^letter-gone /,
    merchant: 'default',
  },
  {
    operation: 'POST /ops/rebuild',
    path: () => '/ops/rebuild',
    body: () => ({ sagas: [ids.paid] }),
    action: 'record.rebuild',
    subject: () => `1 sagas, 0 wallets, from ${ids.paid}`,
    merchant: '*',
  },
  {
    operation: 'POST /ops/reconcile',
    path: () => '/ops/reconcile',
    body: () => ({ provider: 'acme' }),
    action: 'reconciliation.begin',
    subject: () => / acme$/,
    merchant: '*',
  },
  {
    operation: 'POST /ops/sagas/{id}/retry',
    path: () => `/ops/sagas/${ids.retried}/retry`,
    action: 'saga.retry',
    subject: () => ids.retried,
    merchant: 'default',
  },
  {
    operation: 'POST /ops/sagas/{id}/resolve',
    path: () => `/ops/sagas/${ids.resolved}/resolve`,
    body: () => ({ resolution: 'charged' }),
    action: 'saga.resolve',
    subject: () => `${ids.resolved} charged`,
    merchant: 'default',
  },
  {
    operation: 'POST /ops/wallets/{id}/freeze',
    path: () => '/ops/wallets/audited/freeze',
    body: () => ({ merchant: 'default' }),
    action: 'wallet.freeze',
    subject: () => 'audited',
    merchant: 'default',
  },
  {
    operation: 'POST /ops/wallets/{id}/unfreeze',
    path: () => '/ops/wallets/audited/unfreeze',
    body: () => ({ merchant: 'default' }),
    action: 'wallet.unfreeze',
    subject: () => 'audited',
    merchant: 'default',
  },
];

beforeAll(async () => {
  platform = await issue(null, ['ops']);
  ids.rotated = (await issue('shop', ['ops'])).id;
  ids.revoked = (await issue('shop', ['ops'])).id;
  await openWallet('audited', 100_000);
  ids.paid = (await createPayment({ wallet_id: 'audited' })).id;
  ids.retried = await needingSomebody();
  ids.resolved = await needingSomebody();
  await terminal(ids.paid);
  for (const name of ['many', 'one', 'gone']) await die(`letter-${name}`);
});

async function needingSomebody(): Promise<string> {
  const { id } = await createPayment({ wallet_id: 'audited', token: 'pm_sim_lost' });
  await inState(id, 'authorization_unknown');
  await pass(id, SAGA_POLICIES.sandbox.lateWindowMs + HOUR_MS);
  await inState(id, 'needs_attention');
  return id;
}

/** A letter of a debit that nobody awaits, and of no other's effect. */
async function die(id: string): Promise<void> {
  const event = message('orchestrator.wallet.debit', ids.paid);
  const body = {
    ...event,
    metadata: { ...event.metadata, merchant: 'default', mode: 'sandbox', message_deduplication_id: id },
  };
  const batch = [{ id, timestamp: new Date(), attempts: 4, body }];
  await consumeDeadLetters(createMessageBatch('wallet-commands-dlq', batch), env);
}

async function headId(): Promise<number> {
  return (await env.DB.prepare('SELECT COALESCE(MAX(id), 0) AS id FROM audit_log').first<number>('id')) ?? 0;
}

const operate = ({ path, body }: Row, word: object, closed: object = CLOSED) =>
  ask(`POST ${path()}`, { key: platform.key, body: { ...body?.(), ...word }, env: closed });

it('every POST under /ops is in the table, or changes nothing', () => {
  const posts = OPERATIONS.filter(({ method, path }) => method !== 'GET' && path.startsWith('/ops/'));
  const covered = [...ROWS.map(({ operation }) => operation), ...CHANGES_NOTHING];
  expect(covered.toSorted()).toEqual(posts.map(({ name }) => name).toSorted());
});

describe.each(ROWS.map((each) => [each.operation, each] as const))('%s', (_operation, row) => {
  it('without who or why is refused, and in no log', async () => {
    const before = await headId();
    for (const word of [{}, { actor: 'jane' }, { reason: 'ticket-7' }, { actor: '', reason: '' }]) {
      expect((await operate(row, word)).status, JSON.stringify(word)).toBe(400);
    }
    expect(await headId()).toBe(before);
  });

  it('where the log cannot be written answers an error', async () => {
    const DB = new Proxy(env.DB, {
      get(db, name) {
        if (name !== 'prepare') return bound(db, name);
        return (sql: string) => {
          if (/INTO audit_log/.test(sql)) throw new Error('D1_ERROR: away');
          return db.prepare(sql);
        };
      },
    });
    const response = await operate(row, { actor: 'jane', reason: 'in vain' }, { ...CLOSED, DB });
    expect(response.status).toBe(503);
  });

  it('is in the log once: who, why, what, whose, and with which key', async () => {
    const before = await headId();
    const response = await operate(row, { actor: 'jane', reason: 'ticket-7' });
    expect(response.status, await response.text()).toBeLessThan(300);
    const rows = await operatorsLogAfter(env.DB, before, 10);
    const subject = row.subject();
    expect(rows).toEqual([
      expect.objectContaining({
        actor: 'jane',
        reason: 'ticket-7',
        action: row.action,
        subject: typeof subject === 'string' ? subject : expect.stringMatching(subject),
        merchant: row.merchant,
        mode: 'sandbox',
        credential: platform.id,
      }),
    ]);
  });
});

/** Methods of the platform's objects want their own `this`. */
function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? value.bind(target) : value;
}

it('the audit itself changes nothing, and is in no log', async () => {
  const before = await headId();
  expect((await ask('POST /ops/audit', { key: platform.key, body: {} })).status).toBe(200);
  expect(await headId()).toBe(before);
});

it('the chain of all of it is whole', async () => {
  const rows = await operatorsLogAfter(env.DB, 0, 500);
  expect(rows.length).toBeGreaterThan(ROWS.length);
  expect(auditOperatorsLog(EMPTY_LOG, rows)).toMatchObject({ findings: [], unsealed: 0 });
});
