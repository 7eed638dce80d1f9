/**
 * The client in Node over real HTTP, and its example as a person runs it, against one Worker of their own. Between client and Worker
 * stands a relay that cuts sockets: before a request has been passed on, or when its answer comes.
 */
import { execFile } from 'node:child_process';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Holdfast } from '../../client/src/index.ts';
import { anyFreePort, type LocalWorker, ROOT, startLocalWorker } from '../../scripts/local-worker.ts';

type Cut = 'before' | 'after';

let worker: LocalWorker;
let relay: Server;
/** What the next connections meet; then they are let through. */
const cuts: Cut[] = [];
let connections = 0;
const open = new Set<Socket>();

beforeAll(async () => {
  worker = await startLocalWorker(await anyFreePort(), new AbortController().signal, { isQuiet: true });
  relay = createServer((client) => {
    connections += 1;
    open.add(client);
    client.on('close', () => open.delete(client));
    pass(client, cuts.shift());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
}, 90_000);

afterAll(async () => {
  relay?.close();
  await worker?.stop();
});

function pass(client: Socket, cut: Cut | undefined): void {
  client.on('error', () => undefined);
  if (cut === 'before') {
    client.resetAndDestroy();
    return;
  }
  const server = connect(worker.port, 'localhost');
  server.on('error', () => client.destroy());
  client.on('close', () => server.destroy());
  server.on('close', () => client.destroy());
  client.pipe(server);
  // The Worker has answered, so it has done it; the answer does not arrive.
  if (cut === 'after') server.once('data', () => client.resetAndDestroy());
  else server.pipe(client);
}

function client(): Holdfast {
  return new Holdfast({ baseUrl: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, retry: { firstMs: 20 } });
}

const PAYMENT = {
  wallet_id: 'wal-client',
  service_id: 'svc-1',
  amount: 1_230,
  currency: 'USD',
  method: 'balance',
} as const;

test.each<[string, Cut[]]>([
  ['before the request was passed on', ['before']],
  ['when the answer came', ['after']],
  ['again and again', ['after', 'before', 'after']],
])('a connection that is cut %s makes one payment', async (_, planned) => {
  const reference = `cut-${planned.join('-')}`;
  const before = connections;
  // None is kept alive from before: the next request is a connection.
  for (const socket of open) socket.destroy();
  await expect.poll(() => open.size).toBe(0);
  cuts.push(...planned);
  const payment = await client().payments.create({ ...PAYMENT, reference }, { waitSeconds: 10 });
  expect(cuts).toEqual([]);
  expect(connections - before).toBe(planned.length + 1);
  expect(payment).toMatchObject({ status: 'COMPLETED', reference });
  const ids = new Set<string>([payment.id]);
  const list = async () => {
    for await (const each of client().payments.all({ reference })) ids.add(each.id);
    return (await client().payments.list({ reference })).data.length;
  };
  await expect.poll(list, { timeout: 15_000 }).toBe(1);
  expect(ids.size).toBe(1);
});

test('the wallet has paid for each once', async () => {
  const wallet = await client().wallets.get('wal-client');
  expect(wallet.available).toBe(100_000_000 - 3 * PAYMENT.amount);
});

test('npm run example:client shows a payment, a replay, a decline and a mistake', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['examples/pay.ts'], {
    cwd: ROOT,
    env: { ...process.env, HOLDFAST_URL: worker.origin },
    timeout: 60_000,
  });
  expect(stdout).toMatch(/^created {3}PENDING$/m);
  expect(stdout).toMatch(
    /^ {10}wallet\.hold_funds\n {10}payment_gateway\.routed\n.*\n {10}wallet\.debit\n {10}payment\.completed$/m,
  );
  expect(stdout).toMatch(/^ended {5}COMPLETED$/m);
  expect(stdout).toMatch(/^again {5}the same payment$/m);
  expect(stdout).toMatch(/^declined {2}FAILED gateway_declined$/m);
  expect(stdout).toMatch(/^mistake {3}the key was used for something else$/m);
});

test('what is published is plain JavaScript with its types', async () => {
  const out = 'dist/client';
  await promisify(execFile)('node_modules/.bin/tsc', ['-p', 'client', '--noEmit', 'false', '--outDir', out], {
    cwd: ROOT,
  });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { Holdfast } from './${out}/index.js'; console.log(typeof new Holdfast({ baseUrl: 'http://x' }).payments.create)`,
    ],
    { cwd: ROOT },
  );
  expect(stdout.trim()).toBe('function');
});
