/**
 * The email channel: tells an operator what was notified, through the platform's `send_email` binding. Off unless
 * NOTIFY_EMAIL_FROM and NOTIFY_EMAIL_TO are set. Best effort, beside the webhooks: a mail that cannot be sent is logged and
 * holds nothing up. Called by the notifications consumer.
 */
import type { Config } from '../config.ts';
import { errorText, logLine } from '../telemetry/log.ts';

export interface Mail {
  readonly subject: string;
  readonly text: string;
}

/** Never throws; without addresses, or without the binding, nothing happens. */
export async function sendMails(env: Env, config: Config, mails: readonly Mail[]): Promise<void> {
  const { email } = config;
  if (email === undefined || env.EMAIL === undefined) return;
  await Promise.all(
    mails.map(async (mail) => {
      try {
        await env.EMAIL.send({ ...email, ...mail });
      } catch (error) {
        logLine('notification.mail_failed', { error: errorText(error) });
      }
    }),
  );
}
