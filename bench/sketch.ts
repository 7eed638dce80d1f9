/**
 * The second yardstick: what of a payment's time is the runtime's. The objects, commits, alarms, messages and calls that a payment
 * makes until it is at rest, with texts about as long, and nothing besides: no rules, ledger, seals, schemas, logs or traces, and no
 * breakers. Part of the benchmark's Worker (bench/worker.ts).
 */
import { DurableObject } from 'cloudflare:workers';

type Step = 'hold' | 'authorize' | 'debit';

interface Command {
  readonly sagaId: string;
  readonly wallet: string;
  readonly step: Step;
  readonly text: string;
}

interface Run {
  readonly sagaId: string;
  readonly text: string;
}

export interface SketchEnv extends Env {
  readonly SKETCH_SAGA: DurableObjectNamespace<SketchSaga>;
  readonly SKETCH_WALLET: DurableObjectNamespace<SketchWallet>;
  readonly SKETCH_PROVIDER: DurableObjectNamespace<SketchProvider>;
  readonly SKETCH_WALLET_COMMANDS: Queue<Command>;
  readonly SKETCH_GATEWAY_COMMANDS: Queue<Command>;
  readonly SKETCH_EVENTS: Queue<Run>;
}

/** As long as a command's message, as a commit of a saga, and as the run of events that the record is told. */
const COMMAND_TEXT = 'c'.repeat(1_000);
const COMMIT_TEXT = 'c'.repeat(4_000);
const RUN_TEXT = 'r'.repeat(8_800);
const FIRST_ALARM_MS = 2_000;
const RETENTION_ALARM_MS = 30 * 24 * 3_600_000;

export class SketchSaga extends DurableObject<SketchEnv> {
  readonly #commits: string[] = [];
  readonly #ended = Promise.withResolvers<void>();

  /** Resolves when it has ended. */
  async create(wallet: string): Promise<void> {
    this.#commit();
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + FIRST_ALARM_MS));
    this.ctx.waitUntil(scheduler.wait(0).then(() => this.#send('hold', wallet)));
    await this.#ended.promise;
  }

  deliver({ step, wallet }: Command): void {
    this.#commit();
    if (step === 'hold') this.ctx.waitUntil(this.#send('authorize', wallet));
    if (step === 'authorize') this.ctx.waitUntil(this.#send('debit', wallet));
    if (step !== 'debit') return;
    this.ctx.waitUntil(this.env.SKETCH_EVENTS.send({ sagaId: this.ctx.id.toString(), text: RUN_TEXT }));
    this.#ended.resolve();
  }

  acknowledge(): void {
    this.ctx.storage.kv.put('saga', this.#commits);
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + RETENTION_ALARM_MS));
  }

  override alarm(): void {}

  #commit(): void {
    this.#commits.push(COMMIT_TEXT);
    this.ctx.storage.kv.put('saga', this.#commits);
  }

  async #send(step: Step, wallet: string): Promise<void> {
    const queue = step === 'authorize' ? this.env.SKETCH_GATEWAY_COMMANDS : this.env.SKETCH_WALLET_COMMANDS;
    await queue.send({ sagaId: this.ctx.id.toString(), wallet, step, text: COMMAND_TEXT });
  }
}

export class SketchWallet extends DurableObject<SketchEnv> {
  execute(commands: readonly Command[]): number[] {
    return commands.map(({ text }) => insertRow(this.ctx.storage.sql, text));
  }
}

export class SketchProvider extends DurableObject<SketchEnv> {
  override async fetch(request: Request): Promise<Response> {
    return Response.json({ rows: insertRow(this.ctx.storage.sql, await request.text()) });
  }
}

function insertRow(sql: SqlStorage, text: string): number {
  sql.exec('CREATE TABLE IF NOT EXISTS rows (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  return sql.exec('INSERT INTO rows (text) VALUES (?)', text).rowsWritten;
}

/** `{ wallet_id }` to its end. */
export async function postSketch(request: Request, env: SketchEnv): Promise<Response> {
  const { wallet_id: wallet } = (await request.json()) as { wallet_id: string };
  await env.SKETCH_SAGA.get(env.SKETCH_SAGA.newUniqueId()).create(wallet);
  return Response.json({ object: 'sketch', status: 'COMPLETED' }, { status: 201 });
}

/** By the names of their queues. */
export const SKETCH_CONSUMERS: Readonly<Record<string, (batch: MessageBatch, env: SketchEnv) => Promise<void>>> = {
  'sketch-wallet-commands': async (batch, env) => {
    const wallets = Map.groupBy(bodiesOf<Command>(batch), ({ wallet }) => wallet);
    await Promise.all(
      [...wallets].map(async ([wallet, commands]) => {
        await env.SKETCH_WALLET.getByName(wallet).execute(commands);
        await Promise.all(commands.map((command) => sagaOf(env, command.sagaId).deliver(command)));
      }),
    );
  },
  'sketch-gateway-commands': async (batch, env) => {
    await Promise.all(
      bodiesOf<Command>(batch).map(async (command) => {
        const body = JSON.stringify(command);
        const answer = await env.SKETCH_PROVIDER.getByName('acme').fetch('https://provider/charges', {
          method: 'POST',
          body,
        });
        await answer.json();
        await sagaOf(env, command.sagaId).deliver(command);
      }),
    );
  },
  'sketch-events': async (batch, env) => {
    const runs = bodiesOf<Run>(batch);
    await env.DB.batch([
      env.DB.prepare('CREATE TABLE IF NOT EXISTS sketch (saga_id TEXT NOT NULL, text TEXT NOT NULL)'),
      env.DB.prepare(
        `INSERT INTO sketch SELECT value ->> '$.sagaId', value ->> '$.text' FROM json_each(?) WHERE true`,
      ).bind(JSON.stringify(runs)),
    ]);
    await Promise.all(runs.map(({ sagaId }) => sagaOf(env, sagaId).acknowledge()));
  },
};

function bodiesOf<Body>(batch: MessageBatch): Body[] {
  return batch.messages.map(({ body }) => body as Body);
}

function sagaOf(env: SketchEnv, id: string): DurableObjectStub<SketchSaga> {
  return env.SKETCH_SAGA.get(env.SKETCH_SAGA.idFromString(id));
}
