/**
 * Consumer of `payment-events`: writes a batch of publications to the record (D1) in one transaction, each event once,
 * and tells each saga which run is recorded, and the traces which sagas have ended; hands on what is to be told of an end, where there is
 * somebody to tell (decision 0066); enters new wallets into the directory, and tells them. It never decides about money, and a lost
 * acknowledgement only means that the same is sent again.
 */
import { waitUntil } from 'cloudflare:workers';
import { apportioned, type Spent, sumOfSpent } from '../src/domain/cost/spent.ts';
import { OBJECT_CALL, sending } from '../src/domain/cost/work.ts';
import { type Envelope, entityOf } from '../src/domain/events/envelope.ts';
import {
  type Publication,
  type RecordMessage,
  recordMessageSchema,
  type WalletOpened,
} from '../src/domain/messages.ts';
import { endsSaga, isSampledLog, sagaSpans } from '../src/domain/tracing/saga-spans.ts';
import type { NotifyType } from '../src/domain/webhook.ts';
import { readEventLogs } from '../src/read-model/event-logs.ts';
import { recordPublications } from '../src/read-model/record-publications.ts';
import { enterWallets } from '../src/read-model/wallets.ts';
import { sagaStub, walletStub } from '../src/stubs.ts';
import { errorText, logLine } from '../src/telemetry/log.ts';
import { openTracer, type Tracer } from '../src/telemetry/tracer.ts';
import { audiencesOf, isNotifyType } from './audience.ts';
import { type Consumed, consume, type Decoded } from './consume.ts';
import { ACK, type Verdict } from './retry-policy.ts';

/** As it stands in its saga's log. */
type NotifyCommand = Envelope & { readonly event_type: NotifyType };

export async function consumePaymentEvents(batch: MessageBatch, env: Env): Promise<void> {
  await consume<RecordMessage>(batch, env, {
    decode,
    groupKey: ({ kind }) => kind,
    handle: (items) => take(env, items),
  });
}

function decode(body: unknown): Decoded<RecordMessage> {
  const parsed = recordMessageSchema.safeParse(body);
  return parsed.success ? { ok: true, body: parsed.data } : { ok: false, reason: `malformed: ${parsed.error.message}` };
}

/** Messages of one kind: they are grouped by it. */
async function take(env: Env, items: readonly Consumed<RecordMessage>[]): Promise<readonly Verdict[]> {
  await record(
    env,
    items.flatMap(({ body, spent }) => (body.kind === 'publication' ? [{ publication: body, spent }] : [])),
  );
  await list(
    env,
    items.flatMap(({ body }) => (body.kind === 'wallet_opened' ? [body] : [])),
  );
  return items.map(() => ACK);
}

/** A publication, and what its delivery has cost. */
interface Delivered {
  readonly publication: Publication;
  readonly spent: Spent;
}

async function record(env: Env, delivered: readonly Delivered[]): Promise<void> {
  if (delivered.length === 0) return;
  const publications = delivered.map(({ publication }) => publication);
  const recorded = await recordPublications(env.DB, publications);
  const handed = await handOn(env, publications.flatMap(toTell));
  const shares = apportioned(sumOfSpent(recorded, handed.spent), delivered.length);
  const tracer = openTracer(env);
  if (tracer.isOn) waitUntil(trace(env, tracer, publications));
  await Promise.all(
    delivered.map(({ publication, spent }, index) => {
      const effectIds = publication.to_tell?.filter((effectId) => handed.toNobody.has(effectId)) ?? [];
      const sent = (publication.to_tell ?? []).map((effectId) => handed.sent.get(effectId));
      return acknowledge(env, publication, effectIds, sumOfSpent(spent, shares[index], ...sent, OBJECT_CALL));
    }),
  );
}

/** The notify commands that are told with this publication. */
function toTell({ runs, to_tell: effectIds = [] }: Publication): NotifyCommand[] {
  return runs
    .flatMap(({ events }) => events)
    .flatMap((event) => {
      const { event_type: type, metadata } = event;
      const isAsked = effectIds.includes(metadata.message_deduplication_id);
      return isAsked && isNotifyType(type) ? [{ ...event, event_type: type }] : [];
    });
}

/** What became of notify commands, by effect id. */
interface HandedOn {
  /** There is nobody to tell: its sender need not wait. */
  readonly toNobody: ReadonlySet<string>;
  /** On its way to whoever is to be told, and what that has cost. Its sender hears of it from there. */
  readonly sent: ReadonlyMap<string, Spent>;
  readonly spent: Spent;
}

/**
 * Hands on what there is somebody for. One whose message cannot be sent is of neither kind: its saga sends it again by itself.
 * @throws what D1 throws.
 */
async function handOn(env: Env, commands: readonly NotifyCommand[]): Promise<HandedOn> {
  if (commands.length === 0) return { toNobody: new Set(), sent: new Map(), spent: {} };
  const { audiences, spent } = await audiencesOf(env, commands);
  const idOf = ({ metadata }: NotifyCommand) => metadata.message_deduplication_id;
  const sent = new Map<string, Spent>();
  await Promise.all(
    commands
      .filter((_command, index) => audiences[index]?.isEmpty === false)
      .map(async (command) => {
        try {
          await env.NOTIFICATIONS.send(command);
          sent.set(idOf(command), sending(command));
        } catch (error) {
          const { message_group_id: groupId } = command.metadata;
          logLine('queue.send_failed', {
            message_type: command.event_type,
            group_id: groupId,
            error: errorText(error),
          });
        }
      }),
  );
  const toNobody = commands.filter((_command, index) => audiences[index]?.isEmpty === true).map(idOf);
  return { toNobody: new Set(toNobody), sent, spent };
}

/**
 * Tells the spans of the sagas that have ended, out of their logs: the object that owns one exports nothing. Told again when
 * a run is published again, or more of a log is recorded after its end: the same spans, with what is known now.
 */
async function trace(env: Env, tracer: Tracer, publications: readonly Publication[]): Promise<void> {
  const ended = publications.filter(({ runs }) => {
    const events = runs.flatMap((run) => run.events);
    return isSampledLog(events) && endsSaga(events);
  });
  if (ended.length === 0) return;
  try {
    const logs = await readEventLogs(env.DB, [...new Set(ended.map((publication) => publication.group_id))]);
    for (const log of logs.values()) tracer.record(sagaSpans(log));
    await tracer.flush();
  } catch (error) {
    // The spans of these sagas are lost; what they tell of is recorded.
    logLine('trace.read_failed', { count: ended.length, error: errorText(error) });
  }
}

async function list(env: Env, opened: readonly WalletOpened[]): Promise<void> {
  if (opened.length === 0) return;
  await enterWallets(
    env.DB,
    opened.map(({ wallet }) => wallet),
  );
  await Promise.all(opened.map((message) => acknowledgeListing(env, message)));
}

async function acknowledge(
  env: Env,
  publication: Publication,
  effectIds: readonly string[],
  spent: Spent,
): Promise<void> {
  const first = publication.runs[0]?.first;
  const last = publication.runs.at(-1)?.last;
  if (first === undefined || last === undefined) return;
  try {
    await sagaStub(env, entityOf(publication.group_id))?.acknowledge({ effectIds, events: { first, last }, spent });
  } catch (error) {
    // The record has it; the saga does not know and sends the run again, which changes nothing.
    logLine('queue.acknowledge_failed', { group_id: publication.group_id, error: errorText(error) });
  }
}

async function acknowledgeListing(env: Env, { wallet }: WalletOpened): Promise<void> {
  try {
    await walletStub(env, wallet, wallet.id).acknowledgeListing();
  } catch (error) {
    // The directory has it; the wallet does not know and tells of itself again, which changes nothing.
    logLine('queue.acknowledge_failed', { message_type: 'wallet_opened', error: errorText(error) });
  }
}
