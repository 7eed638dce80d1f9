/**
 * What a notification tells of (a payment, a refund, an endpoint), for the notifications consumer: its public JSON as of the
 * event, whatever has happened since, from its owner, since the record may lag (decision 0083); and the way back to whoever asked
 * for the telling. A new kind is a new arm.
 */
import type { Spent } from '../src/domain/cost/spent.ts';
import type { Scope } from '../src/domain/ids.ts';
import { asDisabled } from '../src/domain/webhook.ts';
import { sagaStub, webhookEndpointStub } from '../src/stubs.ts';
import type { NotifyMessage } from './audience.ts';

type DisabledMessage = Extract<NotifyMessage, { event_type: 'orchestrator.notify.webhook_endpoint_disabled' }>;

export interface NotifiedEntity {
  readonly id: string;
  /** The public JSON as of the event, as text; null when there is none any more. */
  read(): Promise<string | null>;
  /** The notification is taken over, and need not be sent again. */
  acknowledge(effectId: string, spent: Spent): Promise<void>;
}

export function notifiedEntity(env: Env, message: NotifyMessage): NotifiedEntity {
  const { merchant, mode, sequence } = message.metadata;
  const scope = { merchant, mode };
  switch (message.event_type) {
    case 'orchestrator.notify.payment_success':
    case 'orchestrator.notify.payment_failure':
      return saga(env, scope, message.payload.payment_id, sequence);
    case 'orchestrator.notify.refund_success':
    case 'orchestrator.notify.refund_failure':
      return saga(env, scope, message.payload.refund_id, sequence);
    case 'orchestrator.notify.webhook_endpoint_disabled':
      return endpoint(env, scope, message);
  }
}

/** @param sequence of the command in the log: its commit is the one that is told of. */
function saga(env: Env, scope: Scope, id: string, sequence: number): NotifiedEntity {
  return {
    id,
    async read() {
      const result = await sagaStub(env, id)?.read(scope, sequence);
      return result?.kind === 'found' ? result.body : null;
    },
    async acknowledge(effectId, spent) {
      await sagaStub(env, id)?.acknowledge({ effectIds: [effectId], spent });
    },
  };
}

function endpoint(env: Env, scope: Scope, { payload, timestamp }: DisabledMessage): NotifiedEntity {
  const { endpoint_id: id, reason } = payload;
  return {
    id,
    async read() {
      const result = await webhookEndpointStub(env, scope, id)?.read();
      return result?.kind === 'found' ? JSON.stringify(asDisabled(result.endpoint, reason, timestamp)) : null;
    },
    async acknowledge(effectId) {
      await webhookEndpointStub(env, scope, id)?.acknowledgeNotice(effectId);
    },
  };
}
