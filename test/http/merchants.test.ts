// Two merchants, each with one of everything that there is, made with their own keys over HTTP. Whatever is the other's is, by every
// route, exactly what an unknown id is; and each list is one's own. A new route that takes an id fails here until it is in a table.
import { createMessageBatch } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { consumeDeadLetters } from '../../queues/dead-letters.ts';
import { KEY_SCOPES } from '../../src/domain/api-key.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import { message } from '../queues/messages.ts';
import { answered, ask, type IssuedKey, issue, WORD } from '../support/keys.ts';
import { OPERATIONS } from '../support/operations.ts';
import { until } from '../support/payments.ts';
import { Receiver } from '../support/receiver.ts';

interface Shop {
  readonly merchant: string;
  readonly key: string;
  readonly keyId: string;
  readonly payment: string;
  readonly paymentKey: string;
  readonly running: string;
  readonly refund: string;
  readonly refundKey: string;
  readonly wallet: string;
  readonly endpoint: string;
  readonly delivery: string;
  readonly letter: string;
}

interface List<Item = { id: string }> {
  readonly data: Item[];
}

const PAYMENT = { service_id: 'svc', amount: 1230, currency: 'USD', method: 'balance' };
/** Ids of the right form that nobody has. */
const UNKNOWN: Omit<Shop, 'merchant' | 'key'> = {
  keyId: `ak_${'0'.repeat(22)}`,
  payment: publicIdFromHex('pay_', env.PAYMENT_SAGA.idFromName('nobody').toString()),
  running: publicIdFromHex('pay_', env.PAYMENT_SAGA.idFromName('nobody either').toString()),
  paymentKey: 'nobody-pays',
  refund: publicIdFromHex('ref_', env.REFUND_SAGA.idFromName('nobody').toString()),
  refundKey: 'nobody-refunds',
  wallet: 'nobody',
  endpoint: `we_${'0'.repeat(22)}`,
  delivery: `wd_${'0'.repeat(22)}_1_0123456789abcdef`,
  letter: 'nobody',
};

/** One of everything, at rest: paid, half given back, told to an endpoint; and one payment that waits for ever. */
async function build(merchant: string): Promise<Shop> {
  const { key, id: keyId } = await issue(merchant, KEY_SCOPES);
  const send = <Body>(what: string, status: number, body?: object, headers = {}) =>
    answered<Body>(status, ask(what, { key, headers, ...(body !== undefined && { body }) }));
  const paymentKey = `${merchant}-pays`;
  const refundKey = `${merchant}-refunds`;
  const wallet = `wallet-of-${merchant}`;
  await send('POST /wallets', 201, { id: wallet, currency: 'USD' });
  await send(`POST /wallets/${wallet}/deposits`, 201, { amount: 100_000, currency: 'USD' }, { 'idempotency-key': 'd' });
  const { url } = new Receiver();
  const { id: endpoint } = await send<{ id: string }>('POST /webhook-endpoints', 201, { url });
  const pay = (idempotencyKey: string, body: object) =>
    send<{ id: string; status: string }>(
      'POST /payments',
      202,
      { ...PAYMENT, wallet_id: wallet, ...body },
      {
        'idempotency-key': idempotencyKey,
      },
    );
  const { id: payment } = await pay(paymentKey, {});
  const { id: running } = await pay(`${merchant}-waits`, { token: 'pm_sim_lost' });
  await ended(`/payments/${payment}`);
  const { id: refund } = await send<{ id: string }>(
    'POST /refunds',
    202,
    { payment_id: payment, amount: 200 },
    { 'idempotency-key': refundKey },
  );
  await ended(`/refunds/${refund}`);
  const delivery = await until(
    async () => (await send<List>(`GET /webhook-endpoints/${endpoint}/deliveries`, 200)).data[0]?.id,
    (id) => id !== undefined,
  );
  await until(
    async () => (await send<List>('GET /payments', 200)).data.length,
    (count) => count === 2,
  );
  await until(
    async () => (await send<List>(`GET /refunds?payment_id=${payment}`, 200)).data.length,
    (count) => count === 1,
  );
  const letter = `letter-of-${merchant}`;
  const event = message('orchestrator.wallet.debit', payment);
  await die(letter, { ...event, metadata: { ...event.metadata, merchant, mode: 'sandbox' } });
  return {
    ...{ merchant, key, keyId, payment, paymentKey, running, refund, refundKey, wallet, endpoint, letter },
    delivery: delivery ?? '',
  };

  async function ended(path: string): Promise<void> {
    const read = () => send<{ status: string }>(`GET ${path}`, 200);
    await until(read, ({ status }) => status === 'COMPLETED');
  }
}

async function die(id: string, body: unknown): Promise<void> {
  const batch = [{ id, timestamp: new Date(), attempts: 4, body }];
  await consumeDeadLetters(createMessageBatch('wallet-commands-dlq', batch), env);
}

const shops: Shop[] = [];
beforeAll(async () => {
  shops.push(...(await Promise.all(['north', 'south'].map(build))));
});
const DIRECTIONS = [
  ['north', 'south', 0, 1],
  ['south', 'north', 1, 0],
] as const;
function pair(own: number, others: number): readonly [Shop, Shop] {
  const [one, other] = [shops[own], shops[others]];
  if (one === undefined || other === undefined) throw new Error('no shops');
  return [one, other];
}

type Ids = Omit<Shop, 'merchant' | 'key'>;
interface Row {
  /** As in the document. */
  readonly operation: string;
  readonly path: (ids: Ids) => string;
  readonly body?: object | ((ids: Ids) => object);
  readonly headers?: Record<string, string>;
}

const row = (operation: string, path: Row['path'], more: Partial<Row> = {}): Row => ({ operation, path, ...more });
const SSE = { headers: { accept: 'text/event-stream' } };
const SOCKET = { headers: { upgrade: 'websocket', connection: 'Upgrade' } };
const SAID = { body: WORD };

/** Every operation that takes an id, in an order in which none spoils what a later one needs. */
const BY_ID: readonly Row[] = [
  row('GET /payments/{id}', ({ payment }) => `/payments/${payment}`),
  row('GET /payments/{id}/events', ({ payment }) => `/payments/${payment}/events`),
  row('GET /payments/{id}/events', ({ payment }) => `/payments/${payment}/events`, SSE),
  row('GET /payments/{id}/events', ({ payment }) => `/payments/${payment}/events`, SOCKET),
  row('GET /payments/{id}/events', ({ payment }) => `/payments/${payment}/events?after=1`),
  row('GET /refunds/{id}', ({ refund }) => `/refunds/${refund}`),
  row('GET /refunds/{id}/events', ({ refund }) => `/refunds/${refund}/events`),
  row('GET /refunds/{id}/events', ({ refund }) => `/refunds/${refund}/events`, SSE),
  row('GET /refunds/{id}/events', ({ refund }) => `/refunds/${refund}/events`, SOCKET),
  row('GET /idempotency-keys/{key}', ({ paymentKey }) => `/idempotency-keys/${paymentKey}`),
  row('GET /idempotency-keys/{key}', ({ refundKey }) => `/idempotency-keys/${refundKey}?route=/refunds`),
  row('GET /wallets/{id}', ({ wallet }) => `/wallets/${wallet}`),
  row('GET /wallets/{id}/entries', ({ wallet }) => `/wallets/${wallet}/entries`),
  row('GET /wallets/{id}/entries', ({ wallet }) => `/wallets/${wallet}/entries?at=2100-01-01T00:00:00Z`),
  row('POST /wallets/{id}/deposits', ({ wallet }) => `/wallets/${wallet}/deposits`, {
    body: { amount: 1, currency: 'USD' },
    headers: { 'idempotency-key': 'of-a-stranger' },
  }),
  row('POST /refunds', () => '/refunds', {
    body: ({ payment }) => ({ payment_id: payment, amount: 1 }),
    headers: { 'idempotency-key': 'of-a-stranger' },
  }),
  row('GET /webhook-endpoints/{id}', ({ endpoint }) => `/webhook-endpoints/${endpoint}`),
  row('GET /webhook-endpoints/{id}/deliveries', ({ endpoint }) => `/webhook-endpoints/${endpoint}/deliveries`),
  row('POST /webhook-deliveries/{id}/resend', ({ delivery }) => `/webhook-deliveries/${delivery}/resend`),
  row('POST /webhook-endpoints/{id}/rotate-secret', ({ endpoint }) => `/webhook-endpoints/${endpoint}/rotate-secret`),
  row('POST /webhook-endpoints/{id}/enable', ({ endpoint }) => `/webhook-endpoints/${endpoint}/enable`),
  row('DELETE /webhook-endpoints/{id}', ({ endpoint }) => `/webhook-endpoints/${endpoint}`),
  row('GET /ops/sagas/{id}', ({ payment }) => `/ops/sagas/${payment}`),
  row('GET /ops/sagas/{id}', ({ refund }) => `/ops/sagas/${refund}`),
  row('POST /ops/sagas/{id}/retry', ({ running }) => `/ops/sagas/${running}/retry`, SAID),
  row('POST /ops/sagas/{id}/resolve', ({ running }) => `/ops/sagas/${running}/resolve`, {
    body: { ...WORD, resolution: 'not_charged' },
  }),
  row('POST /ops/wallets/{id}/freeze', ({ wallet }) => `/ops/wallets/${wallet}/freeze`, SAID),
  row('POST /ops/wallets/{id}/unfreeze', ({ wallet }) => `/ops/wallets/${wallet}/unfreeze`, SAID),
  row('GET /ops/dead-letters/{id}', ({ letter }) => `/ops/dead-letters/${letter}`),
  row('POST /ops/dead-letters/{id}/redrive', ({ letter }) => `/ops/dead-letters/${letter}/redrive`, SAID),
  row('POST /ops/dead-letters/{id}/discard', ({ letter }) => `/ops/dead-letters/${letter}/discard`, SAID),
  row('GET /ops/api-keys/{id}', ({ keyId }) => `/ops/api-keys/${keyId}`),
  row('POST /ops/api-keys/{id}/rotate', ({ keyId }) => `/ops/api-keys/${keyId}/rotate`, SAID),
  row('POST /ops/api-keys/{id}/revoke', ({ keyId }) => `/ops/api-keys/${keyId}/revoke`, SAID),
];

/** Every operation that lists, with what of a shop is in it. */
const LISTS: readonly { readonly operation: string; readonly path: string; readonly holds: (ids: Ids) => string }[] = [
  { operation: 'GET /payments', path: '/payments?limit=100', holds: ({ payment }) => payment },
  { operation: 'GET /payments', path: '/payments?service_id=svc&status=COMPLETED', holds: ({ payment }) => payment },
  { operation: 'GET /wallets', path: '/wallets?limit=100', holds: ({ wallet }) => wallet },
  { operation: 'GET /webhook-endpoints', path: '/webhook-endpoints', holds: ({ endpoint }) => endpoint },
  { operation: 'GET /ops/dead-letters', path: '/ops/dead-letters?limit=100', holds: ({ letter }) => letter },
  { operation: 'GET /ops/dead-letters', path: '/ops/dead-letters?status=present', holds: ({ letter }) => letter },
  { operation: 'GET /ops/sagas', path: '/ops/sagas?older_than=0&limit=100', holds: ({ running }) => running },
  { operation: 'GET /ops/api-keys', path: '/ops/api-keys?limit=100', holds: ({ keyId }) => keyId },
];

/** Operations that take another's id, or name, as a filter or in a body. */
const ELSEWHERE = [
  // Counts alone: test/http/ops-overview.test.ts.
  'GET /ops/overview',
  'GET /refunds',
  'POST /payments',
  'POST /wallets',
  'POST /webhook-endpoints',
  'POST /ops/dead-letters/redrive',
  'POST /ops/api-keys',
];

it('every operation of a merchant is in one of the tables', () => {
  const merchants = OPERATIONS.filter(({ security = [] }) => {
    const roles = security.flatMap((each) => each.apiKey ?? []);
    return roles.length > 0 && !roles.includes('platform');
  });
  const covered = new Set([...BY_ID, ...LISTS].map(({ operation }) => operation).concat(ELSEWHERE));
  expect([...covered].toSorted()).toEqual(merchants.map(({ name }) => name).toSorted());
});

function asked({ path, body, headers = {}, operation }: Row, key: string, ids: Ids): Promise<Response> {
  const sent = typeof body === 'function' ? body(ids) : body;
  return ask(`${operation.split(' ')[0]} ${path(ids)}`, { key, headers, ...(sent !== undefined && { body: sent }) });
}

/** Without what names the request: its id, and the path that it was sent to. */
async function withoutItself(response: Response): Promise<unknown> {
  const { request_id: _request, instance: _path, ...body } = await response.json<Record<string, unknown>>();
  return { status: response.status, type: response.headers.get('content-type'), body };
}

describe.each(DIRECTIONS)('to %s, what is %s’s', (_own, _others, own, others) => {
  it.each(BY_ID.map((each) => [each.operation, each] as const))(
    'by %s is what an unknown id is',
    async (_name, each) => {
      const [me, other] = pair(own, others);
      const foreign = await asked(each, me.key, other);
      expect(foreign.status).toBe(404);
      expect(await withoutItself(foreign)).toEqual(await withoutItself(await asked(each, me.key, UNKNOWN)));
    },
  );

  it.each(LISTS.map((each) => [each.path, each] as const))(
    'is not in %s, and what is one’s own is',
    async (path, each) => {
      const [me, other] = pair(own, others);
      const text = JSON.stringify(await answered(200, ask(`GET ${path}`, { key: me.key })));
      expect(text).toContain(each.holds(me));
      expect(text).not.toContain(each.holds(other));
      expect(text).not.toContain(other.merchant);
    },
  );

  it('is not found by a filter that names it', async () => {
    const [me, other] = pair(own, others);
    const empty = { data: [], next_cursor: null };
    for (const [path, filter] of [
      ['/refunds', `payment_id=${other.payment}`],
      ['/payments', `wallet_id=${other.wallet}`],
      ['/ops/dead-letters', `entity_id=${other.payment}`],
      ['/ops/api-keys', `merchant=${other.merchant}`],
    ]) {
      expect(await answered(200, ask(`GET ${path}?${filter}`, { key: me.key })), path).toMatchObject(empty);
    }
    const mine = await answered<List>(200, ask(`GET /refunds?payment_id=${me.payment}`, { key: me.key }));
    expect(mine.data.map(({ id }) => id)).toEqual([me.refund]);
  });

  it('is not paid from: a wallet’s name means one’s own wallet', async () => {
    const [me, other] = pair(own, others);
    const entriesOf = ({ wallet, key }: Shop) => answered<List>(200, ask(`GET /wallets/${wallet}/entries`, { key }));
    const before = await entriesOf(other);
    const paid = await answered<{ id: string }>(
      202,
      ask('POST /payments', {
        key: me.key,
        body: { ...PAYMENT, wallet_id: other.wallet },
        headers: { 'idempotency-key': `from-${other.merchant}` },
      }),
    );
    await until(
      () => answered<{ status: string }>(200, ask(`GET /payments/${paid.id}`, { key: me.key })),
      ({ status }) => status === 'COMPLETED',
    );
    expect(await entriesOf(other)).toEqual(before);
    // The sandbox opens a wallet that is named for the first time: in the merchant's own name.
    await answered(200, ask(`GET /wallets/${other.wallet}`, { key: me.key }));
    const opened = await ask('POST /wallets', { key: me.key, body: { id: `${other.wallet}-2`, currency: 'EUR' } });
    expect(opened.status).toBe(201);
    expect((await ask(`GET /wallets/${other.wallet}-2`, { key: other.key })).status).toBe(404);
  });

  it('and of the same idempotency key, is another request', async () => {
    const [me, other] = pair(own, others);
    const mine = await answered<{ id: string }>(
      202,
      ask('POST /payments', {
        key: me.key,
        body: { ...PAYMENT, wallet_id: me.wallet, amount: 7 },
        headers: { 'idempotency-key': other.paymentKey },
      }),
    );
    expect(mine.id).not.toBe(other.payment);
  });

  it('is not redriven, by id or by filter', async () => {
    const [me, other] = pair(own, others);
    const redrive = (body: object) =>
      answered<List & { data: { result: string }[] }>(
        200,
        ask('POST /ops/dead-letters/redrive', { key: me.key, body: { ...WORD, ...body } }),
      );
    expect((await redrive({ ids: [other.letter] })).data).toMatchObject([{ result: 'not_found' }]);
    expect((await redrive({ filter: { entity_id: other.payment } })).data).toEqual([]);
    const row = env.DB.prepare('SELECT status, redrive_count FROM dead_letters WHERE id = ?').bind(other.letter);
    expect(await row.first()).toEqual({ status: 'present', redrive_count: 0 });
  });

  it('is not frozen, whichever merchant is named', async () => {
    const [me, other] = pair(own, others);
    const body = { ...WORD, merchant: other.merchant };
    const response = await ask(`POST /ops/wallets/${other.wallet}/freeze`, { key: me.key, body });
    expect(response.status).toBe(404);
    const wallet = await answered(200, ask(`GET /wallets/${other.wallet}`, { key: other.key }));
    expect(wallet).toMatchObject({ frozen: false });
  });

  it('gets no key', async () => {
    const [me, other] = pair(own, others);
    const body = { merchant: other.merchant, scopes: ['ops'], name: 'n', ...WORD };
    expect((await ask('POST /ops/api-keys', { key: me.key, body })).status).toBe(403);
    expect((await ask('GET /payments', { key: other.key })).status).toBe(200);
  });

  it('changes nothing of what the audit log says', async () => {
    const { results } = await env.DB.prepare(
      `SELECT credential, merchant FROM audit_log WHERE credential IN (${shops.map(() => '?').join()})`,
    )
      .bind(...shops.map(({ keyId }) => keyId))
      .all<{ credential: string; merchant: string }>();
    const strangers = results.filter(
      (each) => shops.find(({ keyId }) => keyId === each.credential)?.merchant !== each.merchant,
    );
    expect(strangers).toEqual([]);
  });
});

describe('of letters that nobody could read', () => {
  it('no merchant sees any; a platform key does, and discards them in nobody’s name', async () => {
    await die('unreadable', 'what is this');
    const platform = await issue(null, ['ops']);
    for (const { key } of shops) {
      expect((await ask('GET /ops/dead-letters/unreadable', { key })).status).toBe(404);
      expect((await ask('POST /ops/dead-letters/unreadable/discard', { key, body: WORD })).status).toBe(404);
      expect(JSON.stringify(await answered(200, ask('GET /ops/dead-letters', { key })))).not.toContain('unreadable');
    }
    const merchantDefault = await issue('default', ['ops']);
    expect((await ask('GET /ops/dead-letters/unreadable', { key: merchantDefault.key })).status).toBe(404);
    const discarded = await answered(
      200,
      ask('POST /ops/dead-letters/unreadable/discard', { key: platform.key, body: WORD }),
    );
    expect(discarded).toMatchObject({ status: 'discarded', merchant: null });
    const row = env.DB.prepare('SELECT merchant, credential FROM audit_log WHERE subject = ?').bind(
      'unreadable unreadable',
    );
    expect(await row.first()).toEqual({ merchant: '*', credential: platform.id });
  });
});

describe('a platform key', () => {
  let platform: IssuedKey;
  beforeAll(async () => {
    platform = await issue(null, ['ops']);
  });
  const operate = <Body>(what: string, status = 200, body?: object) =>
    answered<Body>(status, ask(what, { key: platform.key, ...(body !== undefined && { body }) }));

  it('sees the sagas, letters and keys of every merchant, and whose each is', async () => {
    for (const { merchant, payment, refund, running, letter, keyId } of shops) {
      expect(await operate(`GET /ops/sagas/${payment}`)).toMatchObject({ id: payment });
      expect(await operate(`GET /ops/sagas/${refund}`)).toMatchObject({ id: refund });
      const sagas = await operate<List<{ id: string; merchant: string }>>('GET /ops/sagas?older_than=0&limit=100');
      expect(sagas.data).toContainEqual(expect.objectContaining({ id: running, merchant }));
      expect(await operate(`GET /ops/dead-letters/${letter}`)).toMatchObject({ merchant, owner: { awaits: false } });
      expect(await operate(`GET /ops/api-keys/${keyId}`)).toMatchObject({ merchant });
    }
    const letters = await operate<List>('GET /ops/dead-letters?limit=100');
    const keys = await operate<List>('GET /ops/api-keys?limit=100');
    for (const { letter, keyId } of shops) {
      expect(letters.data.map(({ id }) => id)).toContain(letter);
      expect(keys.data.map(({ id }) => id)).toContain(keyId);
    }
    const unknown = await ask(`GET /ops/sagas/${UNKNOWN.payment}`, { key: platform.key });
    expect(unknown.status).toBe(404);
  });

  it('redrives letters of several merchants, each through its own owner, and the log says whose they were', async () => {
    const ids = shops.map(({ letter }) => letter);
    const { data } = await operate<List & { data: object[] }>('POST /ops/dead-letters/redrive', 200, { ...WORD, ids });
    expect(data).toMatchObject(ids.map((id) => ({ id, result: 'redriven', outcome: 'no_longer_awaited' })));
    const { results } = await env.DB.prepare(
      `SELECT merchant FROM audit_log WHERE action = 'dead_letter.redrive' AND credential = ? ORDER BY merchant`,
    )
      .bind(platform.id)
      .all();
    expect(results).toEqual([{ merchant: 'north' }, { merchant: 'south' }]);
  });

  it('moves a saga in the name of whoever it belongs to, where it needs somebody', async () => {
    const [{ running }] = pair(0, 1);
    const refused = await operate<{ code: string }>(`POST /ops/sagas/${running}/retry`, 409, WORD);
    expect(refused.code).toBe('saga_not_in_attention');
  });

  it('freezes the wallet of the merchant that it names, and must name one', async () => {
    const [{ merchant, wallet, key }] = pair(0, 1);
    const unsaid = await operate<{ code: string; errors: object[] }>(`POST /ops/wallets/${wallet}/freeze`, 400, WORD);
    expect(unsaid).toMatchObject({ code: 'validation_failed', errors: [{ pointer: '/merchant' }] });
    for (const [verb, frozen] of [
      ['freeze', true],
      ['unfreeze', false],
    ]) {
      const answer = await operate(`POST /ops/wallets/${wallet}/${verb}`, 200, { ...WORD, merchant });
      expect(answer).toMatchObject({ id: wallet, frozen });
      expect(await answered(200, ask(`GET /wallets/${wallet}`, { key }))).toEqual(answer);
    }
    const elsewhere = { ...WORD, merchant: 'nobody' };
    expect(await operate(`POST /ops/wallets/${wallet}/freeze`, 404, elsewhere)).toMatchObject({ code: 'not_found' });
  });

  it('pays, reads and opens nothing', async () => {
    const [{ payment, wallet }] = pair(0, 1);
    for (const what of [
      `GET /payments/${payment}`,
      `GET /wallets/${wallet}`,
      'GET /payments',
      'GET /webhook-endpoints',
    ]) {
      expect((await ask(what, { key: platform.key })).status, what).toBe(403);
    }
  });
});

it('one’s own is there, by every route: what was refused above was not for being nothing', async () => {
  for (const me of shops) {
    const lasting = await issue(me.merchant, KEY_SCOPES);
    for (const each of BY_ID) {
      const response = await asked(each, lasting.key, me);
      expect([401, 403, 404], `${each.operation}: ${response.status}`).not.toContain(response.status);
      response.webSocket?.accept();
      response.webSocket?.close();
      await response.body?.cancel();
    }
  }
});
