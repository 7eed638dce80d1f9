/**
 * The calls that every saga's object answers alike, whatever its kind. A subclass adds how it begins and what is its own.
 * The host is an instance's own member, which RPC does not reach
 * (https://developers.cloudflare.com/workers/runtime-apis/rpc/visibility/).
 */
import { DurableObject } from 'cloudflare:workers';
import type { Scope } from '../../src/domain/ids.ts';
import type {
  Acknowledgement,
  Delivered,
  DescribeKeyResult,
  ReadEventsResult,
  ReadSagaResult,
  SagaRpc,
} from '../../src/domain/rpc.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import type { SagaData } from '../../src/domain/saga/record.ts';
import type { SagaHost } from './saga-host.ts';

export abstract class SagaObject<State extends string, Data extends SagaData, Name extends string>
  extends DurableObject<Env>
  implements SagaRpc
{
  protected abstract readonly host: SagaHost<State, Data, Name>;

  read(scope: Scope): ReadSagaResult {
    return this.host.read(scope);
  }

  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult {
    return this.host.readEvents(scope, afterSequence, limit);
  }

  describeKey(): DescribeKeyResult {
    return this.host.describeKey();
  }

  deliver(outcomes: readonly Outcome[]): Delivered {
    return this.host.take(outcomes.map((outcome) => ({ kind: 'outcome', outcome })));
  }

  awaits(effectId: string): boolean {
    return this.host.awaits(effectId);
  }

  commandDied(effectId: string): Delivered {
    return this.host.take([{ kind: 'died', effectId }]);
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    this.host.acknowledge(acknowledgement);
  }

  override async alarm(): Promise<void> {
    this.host.alarm();
  }
}
