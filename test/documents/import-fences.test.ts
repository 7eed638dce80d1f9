/**
 * Who may import whom (docs/architecture.md, rule 6) is overrides of biome.json, and a typo in one turns its fence off without a word. So
 * Biome is given what each forbids, by its own configuration, in a folder with the same parts.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

interface Fence {
  /** The override's own folders, and an import for each of its patterns. */
  readonly of: readonly string[];
  readonly forbids: readonly string[];
  readonly message: RegExp;
}

const FENCES: readonly Fence[] = [
  {
    of: ['src/domain'],
    forbids: [
      'cloudflare:workers',
      'hono',
      '@hono/zod-openapi',
      'node:fs',
      '../http/app.ts',
      '../gateway/gateway.ts',
      '../read-model/wallets.ts',
      '../telemetry/log.ts',
      '../../durable-objects/saga/store.ts',
      '../../queues/consume.ts',
      '../auditor/walk.ts',
      '../archiver/trim.ts',
      '../recovery/sweep.ts',
      '../notify/webhook-request.ts',
      '../stubs.ts',
      '../config.ts',
    ],
    message: /^domain is pure/,
  },
  {
    of: ['src/http'],
    forbids: ['../../durable-objects/saga/store.ts', '../../queues/consume.ts'],
    message: /^http reaches objects by RPC and queues by their bindings/,
  },
  {
    of: ['src/archiver', 'src/auditor', 'src/gateway', 'src/notify', 'src/read-model', 'src/recovery', 'src/telemetry'],
    forbids: [
      '../http/app.ts',
      '../../durable-objects/saga/store.ts',
      '../../queues/consume.ts',
      'hono',
      '@hono/zod-openapi',
    ],
    message: /^what the parts share imports domain and its own kind/,
  },
  {
    of: ['durable-objects'],
    forbids: ['../src/http/app.ts', '../queues/consume.ts', 'hono', '@hono/zod-openapi'],
    message: /^objects know no HTTP and no consumers/,
  },
  {
    of: ['queues'],
    forbids: ['../src/http/app.ts', '../durable-objects/saga/store.ts', 'hono', '@hono/zod-openapi'],
    message: /^consumers reach objects by RPC/,
  },
];

interface Override {
  readonly includes: readonly string[];
  readonly linter: {
    readonly rules: {
      readonly style: {
        readonly noRestrictedImports: { readonly options: { readonly patterns: readonly Pattern[] } };
      };
    };
  };
}

interface Pattern {
  readonly group: readonly string[];
  readonly message: string;
}

interface Diagnostic {
  readonly category: string;
  readonly message: string;
  readonly location: { readonly path: string; readonly start: { readonly line: number } };
}

const { overrides } = JSON.parse(readFileSync('biome.json', 'utf8')) as { readonly overrides: readonly Override[] };
const root = mkdtempSync(join(tmpdir(), 'holdfast-fences-'));
let diagnostics: readonly Diagnostic[] = [];

/** An import of each, a line each; the same name in every file. */
function write(folder: string, imports: readonly string[]): void {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, 'canary.ts'), imports.map((specifier) => `import '${specifier}';\n`).join(''));
}

/** What the rule says of each line of a folder's file: null where it says nothing. */
function said(folder: string, lines: number): (string | null)[] {
  const own = diagnostics.filter(({ location }) => location.path === join(folder, 'canary.ts'));
  return Array.from(
    { length: lines },
    (_, index) => own.find(({ location }) => location.start.line === index + 1)?.message ?? null,
  );
}

beforeAll(() => {
  copyFileSync('biome.json', join(root, 'biome.json'));
  for (const { of, forbids } of FENCES) for (const folder of of) write(folder, forbids);
  write(
    'src/elsewhere',
    FENCES.flatMap(({ forbids }) => forbids),
  );
  const require = createRequire(import.meta.url);
  const biome = join(dirname(require.resolve('@biomejs/biome/package.json')), 'bin', 'biome');
  const { stdout } = spawnSync(
    process.execPath,
    [
      biome,
      'lint',
      '--vcs-enabled=false',
      '--only=style/noRestrictedImports',
      '--reporter=json',
      '--max-diagnostics=none',
      '.',
    ],
    { cwd: root, encoding: 'utf8' },
  );
  diagnostics = (JSON.parse(stdout) as { readonly diagnostics: readonly Diagnostic[] }).diagnostics;
});

afterAll(() => rmSync(root, { recursive: true }));

test('each override of biome.json has its row here: each of its folders, an import for each of its patterns', () => {
  expect(FENCES.map(({ of, forbids }) => [of.map((folder) => `${folder}/**`), forbids.length])).toEqual(
    overrides.map(({ includes, linter }) => [
      includes,
      linter.rules.style.noRestrictedImports.options.patterns.flatMap(({ group }) => group).length,
    ]),
  );
});

test.each(FENCES.flatMap(({ of, ...fence }) => of.map((folder) => ({ folder, ...fence }))))(
  '$folder may import nothing of what its fence forbids',
  ({ folder, forbids, message }) => {
    expect(said(folder, forbids.length)).toEqual(forbids.map(() => expect.stringMatching(message)));
  },
);

test('where there is no fence, each of them may be imported', () => {
  const lines = FENCES.flatMap(({ forbids }) => forbids).length;
  expect(said('src/elsewhere', lines)).toEqual(Array(lines).fill(null));
});
