/**
 * The commands of docs/webhooks.md, run as a person runs them, in one shell, against a Worker of their own: they end well,
 * and the receiver verifies both events. Only the ports are others.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { anyFreePort, ROOT, startLocalWorker } from '../../scripts/local-worker.ts';

const PORT_OF_DOC = '8080';
const RECEIVER_PORT_OF_DOC = '9000';

function commandsOf(path: string): string {
  const text = readFileSync(new URL(path, `file://${ROOT}`), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('\n');
}

it('every command of docs/webhooks.md works, and what it sends verifies', async () => {
  const worker = await startLocalWorker(await anyFreePort(), new AbortController().signal, { isQuiet: true });
  try {
    const script = commandsOf('docs/webhooks.md')
      .replaceAll(`localhost:${PORT_OF_DOC}`, `localhost:${worker.port}`)
      .replaceAll(RECEIVER_PORT_OF_DOC, String(await anyFreePort()));
    expect(script).toContain('rotate-secret');
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: ROOT,
      timeout: 60_000,
    });
    expect(stdout).toMatch(/^verified {2}payment\.completed {2}pay_\w+ {2}COMPLETED$/m);
    expect(stdout).toMatch(/^verified {2}payment\.failed {2}pay_\w+ {2}FAILED$/m);
    expect(stdout).not.toContain('refused');
    expect(stdout.match(/"status":"delivered"/g)).toHaveLength(2);
    expect(stdout).toContain('"deleted":true');
  } finally {
    await worker.stop();
  }
});
