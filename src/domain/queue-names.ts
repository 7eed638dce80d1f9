/**
 * Pure: the names of queues. A queue has one consumer, and both environments may be in one account, so the sandbox's have a
 * prefix there (scripts/deploy/config.ts puts it on); inside, in logs, metrics and dead letters, a queue is known without it.
 */
export const SANDBOX_QUEUE_PREFIX = 'sandbox-';

export function queueNameOf(deployedName: string): string {
  return deployedName.startsWith(SANDBOX_QUEUE_PREFIX) ? deployedName.slice(SANDBOX_QUEUE_PREFIX.length) : deployedName;
}
