/**
 * Consumer of `payment-events`: writes a batch of publications to the record (D1) in one transaction, each event once,
 * and tells each saga which run is recorded. It never decides about money, and a lost acknowledgement only means that
 * the saga sends the run again.
 */
import { entityOf } from '../src/domain/events/envelope.ts';
import { type Publication, publicationSchema } from '../src/domain/messages.ts';
import { recordPublications } from '../src/read-model/record-publications.ts';
import { sagaStub } from '../src/stubs.ts';
import { errorText, logLine } from '../src/telemetry/log.ts';
import { type Consumed, consume, type Decoded } from './consume.ts';
import { ACK, type Verdict } from './retry-policy.ts';

export async function consumePaymentEvents(batch: MessageBatch, env: Env): Promise<void> {
  await consume<Publication>(batch, env, { decode, groupKey: () => 'record', handle: (items) => record(env, items) });
}

function decode(body: unknown): Decoded<Publication> {
  const parsed = publicationSchema.safeParse(body);
  return parsed.success ? { ok: true, body: parsed.data } : { ok: false, reason: `malformed: ${parsed.error.message}` };
}

async function record(env: Env, items: readonly Consumed<Publication>[]): Promise<readonly Verdict[]> {
  await recordPublications(
    env.DB,
    items.map(({ body }) => body),
  );
  await Promise.all(items.map(({ body }) => acknowledge(env, body)));
  return items.map(() => ACK);
}

async function acknowledge(env: Env, publication: Publication): Promise<void> {
  const first = publication.runs[0]?.first;
  const last = publication.runs.at(-1)?.last;
  if (first === undefined || last === undefined) return;
  try {
    await sagaStub(env, entityOf(publication.group_id))?.acknowledge({ effectIds: [], events: { first, last } });
  } catch (error) {
    // The record has it; the saga does not know and sends the run again, which changes nothing.
    logLine('queue.acknowledge_failed', { group_id: publication.group_id, error: errorText(error) });
  }
}
