// `npm run advisories` against registries of this test's own, asked by the real npm: clean, with a finding, without an answer.
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/local-worker.ts';

const ADVISORY = {
  id: 1,
  url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc',
  title: 'A planted fault',
  severity: 'high',
  vulnerable_versions: '*',
  cwe: [],
  cvss: { score: 8, vectorString: null },
};

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

function registry(status: number, answer: unknown): Promise<string> {
  const started = createServer((request, response) => {
    request.resume();
    const isBulk = request.url?.endsWith('/security/advisories/bulk') === true;
    response.writeHead(isBulk ? status : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isBulk ? answer : {}));
  });
  server = started;
  return new Promise((resolve) => {
    started.listen(0, '127.0.0.1', () => {
      const address = started.address();
      resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`);
    });
  });
}

function advisories(url: string): Promise<{ code: number; output: string }> {
  const env = { ...process.env, npm_config_registry: url, npm_config_fetch_retries: '0' };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'scripts/advisories.ts')], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

describe('known vulnerabilities', () => {
  it('that are none are good', async () => {
    const { code, output } = await advisories(await registry(200, {}));
    expect(output).toContain('advisories: 0 found');
    expect(code).toBe(0);
  });

  it('that nobody has explained are a failure, and named', async () => {
    const { code, output } = await advisories(await registry(200, { canonicalize: [ADVISORY] }));
    expect(output).toContain('canonicalize: high: A planted fault (https://github.com/advisories/GHSA-aaaa-bbbb-cccc)');
    expect(output).toContain('advisories: 1 found, 0 explained');
    expect(code).toBe(1);
  });

  it('that a registry does not tell are skipped, aloud', async () => {
    const { code, output } = await advisories(await registry(405, {}));
    expect(output).toMatch(/^SKIPPED: nothing is known of advisories\. 405/);
    expect(code).toBe(0);
  });

  it('are skipped, aloud, where no registry can be reached', async () => {
    const { code, output } = await advisories('http://127.0.0.1:9/');
    expect(output).toMatch(/^SKIPPED: nothing is known of advisories\./);
    expect(code).toBe(0);
  });
});
