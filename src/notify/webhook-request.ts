/**
 * One attempt at one receiver over HTTP: signs, posts, and tells what came back as a value. Signed by the Standard Webhooks
 * specification with its own library (decision 0040). Follows no redirect, reads nothing of a receiver's answer but its status and
 * `Retry-After`, and calls no URL that is refused. Called by the endpoint's object.
 */
import { Webhook } from 'standardwebhooks';
import type { Exchange } from '../domain/webhook-delivery.ts';
import { checkWebhookUrl } from '../domain/webhook-url.ts';
import { edgeErrorOf } from './edge-answer.ts';

export interface WebhookRequest {
  readonly url: string;
  readonly mode: 'sandbox' | 'live';
  /** `webhook-id`: the same in every attempt. */
  readonly id: string;
  readonly body: string;
  /** Each signs; the current one first. */
  readonly secrets: readonly string[];
  readonly timeoutMs: number;
}

/** Headers by the specification: id, the time of this attempt in whole seconds, and one signature per secret. */
export function signatureHeaders(
  { id, body, secrets }: Pick<WebhookRequest, 'id' | 'body' | 'secrets'>,
  nowMs: number,
): Record<string, string> {
  const at = new Date(nowMs);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(nowMs / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

/** Never throws for what the network or the receiver does. */
export async function postWebhook(request: WebhookRequest, nowMs: number): Promise<Exchange> {
  // Judged again: what may be called can have changed since the endpoint was made.
  const checked = checkWebhookUrl(request.url, request.mode);
  if (!checked.ok) return { kind: 'url_refused' };
  const signal = AbortSignal.timeout(request.timeoutMs);
  try {
    const response = await fetch(checked.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Holdfast-Webhooks/1.0',
        ...signatureHeaders(request, nowMs),
      },
      body: request.body,
      redirect: 'manual',
      signal,
    });
    const edgeError = await edgeErrorOf(response);
    if (edgeError !== null) return { kind: edgeError };
    const { status: httpStatus, headers } = response;
    // Not read: a receiver can neither fill our memory nor hold us with it. One that was looked into for the edge's words is done with.
    if (!response.bodyUsed) await response.body?.cancel();
    return { kind: 'answered', httpStatus, retryAfter: headers.get('retry-after') };
  } catch {
    // What the runtime says of a broken connection differs by platform and tells a merchant nothing: the class is kept.
    return { kind: signal.aborted ? 'timeout' : 'connection_failed' };
  }
}
