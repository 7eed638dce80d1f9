/**
 * The calls that every saga's object answers alike, whatever its kind. A subclass adds how it begins and what is its own.
 * The host is an instance's own member, which RPC does not reach
 * (https://developers.cloudflare.com/workers/runtime-apis/rpc/visibility/).
 */
import { DurableObject } from 'cloudflare:workers';
import type { Spent } from '../../src/domain/cost/spent.ts';
import type { Scope } from '../../src/domain/ids.ts';
import { LIVE_REFUSED_CODE } from '../../src/domain/live.ts';
import type { Redrivable, RedriveResult, Standing } from '../../src/domain/redrive-rpc.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import type { SagaData } from '../../src/domain/saga/record.ts';
import type { OperatorMove } from '../../src/domain/saga/table.ts';
import type {
  Acknowledgement,
  Delivered,
  DescribeKeyResult,
  InspectResult,
  JudgeResult,
  MoveResult,
  PokeResult,
  PublicationPage,
  ReadCostResult,
  ReadEventsResult,
  ReadRowResult,
  ReadSagaResult,
  RetireResult,
  SagaRpc,
  StoredCommits,
} from '../../src/domain/saga-rpc.ts';
import { inspect, judge, makeMove, poke } from './operate.ts';
import { redrive, standing } from './redrive.ts';
import type { SagaHost } from './saga-host.ts';

export abstract class SagaObject<State extends string, Data extends SagaData, Name extends string>
  extends DurableObject<Env>
  implements SagaRpc
{
  protected abstract readonly host: SagaHost<State, Data, Name>;

  read(scope: Scope, asOfSequence?: number): ReadSagaResult {
    return this.host.read(scope, asOfSequence);
  }

  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult {
    return this.host.readEvents(scope, afterSequence, limit);
  }

  readCost(scope: Scope): ReadCostResult {
    return this.host.readCost(scope);
  }

  describeKey(): DescribeKeyResult {
    return this.host.describeKey();
  }

  readRow(): ReadRowResult {
    return this.host.readRow();
  }

  /** `isCall`: false for what the object has found out itself, which is no request to it. */
  deliver(outcomes: readonly Outcome[], isCall = true): Delivered {
    if (isCall) this.host.cost.called();
    this.host.cost.add(...outcomes.map(({ spent }) => spent));
    return this.host.take(outcomes.map((outcome) => ({ kind: 'outcome', outcome })));
  }

  awaits(effectId: string): boolean {
    this.host.cost.called();
    return this.host.awaits(effectId);
  }

  commandDied(effectId: string, spent?: Spent): Delivered {
    this.host.cost.called(spent);
    return this.host.take([{ kind: 'died', effectId }]);
  }

  standing(scope: Scope, item: Redrivable): Standing {
    return standing(this.host, scope, item);
  }

  redrive(scope: Scope, items: readonly Redrivable[]): RedriveResult {
    return redrive(this.host, scope, items);
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    this.host.acknowledge(acknowledgement);
  }

  override fetch(request: Request): Response {
    return this.host.openStream(request);
  }

  /** A stream is listened to: whoever speaks on it has mistaken it for something else. */
  override webSocketMessage(socket: WebSocket): void {
    socket.close(LIVE_REFUSED_CODE, 'this stream takes no messages');
  }

  storedCommits(afterSequence: number): StoredCommits {
    return this.host.storedCommits(afterSequence);
  }

  publication(afterSequence: number): PublicationPage | null {
    return this.host.publication(afterSequence);
  }

  retire(): RetireResult {
    return this.host.retire();
  }

  poke(seenSequence: number): Promise<PokeResult> {
    return poke(this.host, this.ctx.storage, seenSequence);
  }

  inspect(scope: Scope): InspectResult {
    return inspect(this.host, scope);
  }

  judgeMove(scope: Scope, move: OperatorMove): JudgeResult {
    return judge(this.host, scope, move);
  }

  makeMove(scope: Scope, move: OperatorMove, waitMs: number): Promise<MoveResult> {
    return makeMove(this.host, scope, move, waitMs);
  }

  override async alarm(): Promise<void> {
    this.host.alarm();
  }
}
