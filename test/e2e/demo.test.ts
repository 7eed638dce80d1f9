/**
 * The demo, run as a person runs it, on a Worker and a port of its own: what it shows, how it ends, and that it leaves
 * nothing behind, also when it is interrupted.
 */
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs it to its end. `onOutput` sees everything that was written so far. */
function runDemo(onOutput: (output: string, interrupt: () => void) => void = () => undefined): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const demo = spawn(process.execPath, ['scripts/demo.ts'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      onOutput(output, () => demo.kill('SIGINT'));
    };
    demo.stdout.on('data', take);
    demo.stderr.on('data', take);
    demo.on('error', reject);
    demo.on('close', (code) => resolve({ code, output }));
  });
}

/** The process ids of a process group that still run; a zombie has ended and only waits to be collected. */
function running(groupId: string): string[] {
  return execFileSync('ps', ['-eo', 'pid=,pgid=,stat='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([pid, group, state]) => (pid !== undefined && group === groupId && !state?.startsWith('Z') ? [pid] : []));
}

function groupIdIn(output: string): string {
  const [, id] = /process id ([0-9]+)/.exec(output) ?? [];
  if (id === undefined) throw new Error(`no process id in: ${output}`);
  return id;
}

/** The types of the events in the part of the output that a title begins. */
function timeline(output: string, story: number): string[] {
  const part = output.split(/^(?=[0-9]\. )/m)[story] ?? '';
  return [...part.matchAll(/^ +\+[0-9]+ ms {2}(\S+)/gm)].map(([, type]) => type ?? '');
}

describe('npm run demo', () => {
  it('shows a payment, a decline, a compensation, a refund with its webhook and a replay, and leaves nothing behind', async () => {
    const { code, output } = await runDemo();
    expect(code, output).toBe(0);
    expect(output).toMatch(/^Everything came out as it must\.$/m);

    expect(timeline(output, 1)).toEqual([
      'payment.created',
      'orchestrator.wallet.hold_funds',
      'wallet.hold_funds',
      'payment_gateway.routed',
      'orchestrator.gateway.authorize',
      'payment_gateway.response',
      'orchestrator.wallet.debit',
      'wallet.debit',
      'payment.completed',
      'metrics.payment.success',
      'orchestrator.notify.payment_success',
    ]);
    expect(timeline(output, 2)).toContain('wallet.release_funds');
    expect(timeline(output, 2)).toContain('payment.failed');
    expect(timeline(output, 3)).toContain('orchestrator.gateway.unauthorize');
    expect(timeline(output, 3)).toContain('wallet.release_funds');
    expect(timeline(output, 4)).toEqual([
      'refund.created',
      'orchestrator.payment.reserve_refund',
      'payment.refund_reserved',
      'orchestrator.gateway.refund',
      'payment_gateway.response',
      'orchestrator.wallet.credit',
      'wallet.credit',
      'refund.completed',
      'metrics.refund.success',
      'orchestrator.payment.settle_refund',
      'orchestrator.notify.refund_success',
      'payment.refund_settled',
    ]);
    expect(output).toMatch(/ credit +settled → available +5\.00 +999,992\.70 /);
    expect(output).toMatch(/merchant's: verified {2}refund\.completed {2}ref_\w+ {2}COMPLETED$/m);
    expect(output).toMatch(/COMPLETED {2}amount 12\.30 {2}refunded_amount 5\.00 {2}USD/);
    // After the refund, and still what the payment ended with.
    expect(output.match(/Idempotent-Replayed: true {2}[0-9]+ bytes, COMPLETED, refunded_amount 0$/gm)).toHaveLength(2);
    expect(output).toContain('999,987.70');

    // Piped, not on a terminal: no colours.
    expect(output).not.toContain('\u001b');
    expect(running(groupIdIn(output))).toEqual([]);
  });

  it('ends what it started, and says nothing more, when nobody reads it any longer', async () => {
    const demo = spawn(process.execPath, ['scripts/demo.ts'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const closed = new Promise<number | null>((resolve) => demo.on('close', resolve));
    let errors = '';
    demo.stderr.on('data', (chunk: Buffer) => (errors += chunk));
    let output = '';
    demo.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (output.includes('process id')) demo.stdout.destroy();
    });
    expect(await closed).toBe(130);
    expect(errors).toBe('');
    expect(running(groupIdIn(output))).toEqual([]);
  });

  it('ends what it started when it is interrupted', async () => {
    const { code, output } = await runDemo((written, interrupt) => {
      if (written.includes('process id')) interrupt();
    });
    expect(code, output).toBe(130);
    expect(output).toContain('interrupted by SIGINT');
    expect(running(groupIdIn(output))).toEqual([]);
  });
});
