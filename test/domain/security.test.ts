// docs/security.md says what is: every risk has its tests, every path exists, and limits, headers and secrets are those of the code.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RATE_LIMITS, rateLimitPolicy, refusalHeaders } from '../../src/http/rate-limits.ts';
import { SECURITY_HEADERS } from '../../src/http/security-headers.ts';

const text = readFileSync('docs/security.md', 'utf8');
const rows = text.split('\n').filter((line) => line.startsWith('| '));

describe('docs/security.md', () => {
  test.each(Array.from({ length: 10 }, (_each, n) => `API${n + 1}`))(
    'goes through %s, with tests that are there',
    (risk) => {
      const found = rows.filter((row) => row.startsWith(`| **${risk}** `));
      expect(found).toHaveLength(1);
      const tests =
        found[0]
          ?.split(' | ')
          .at(-1)
          ?.match(/`[^`]+`/g) ?? [];
      expect(tests.length).toBeGreaterThan(0);
      for (const path of tests) expect(path).toMatch(/^`test\/[\w./-]+\.test\.ts`$/);
    },
  );

  test('names no file that is not there', () => {
    const paths = [
      ...text.matchAll(/`((?:src|test|docs|scripts)\/[\w./-]+\.\w+)`/g),
      ...text.matchAll(/\]\((decisions\/[^)#]+)\)/g),
    ];
    expect(paths.length).toBeGreaterThan(30);
    for (const [, path = ''] of paths)
      expect(existsSync(path.replace(/^decisions/, 'docs/decisions')), path).toBe(true);
  });

  test.each(Object.entries(RATE_LIMITS))('has the limit %s as it is', (name, { limit, periodSeconds }) => {
    const row = rows.find((each) => each.startsWith(`| \`${name}\` |`));
    expect(row).toContain(`| ${limit} in ${periodSeconds} |`);
  });

  test('shows the headers of a refusal as they are', () => {
    expect(text).toContain(`\`${rateLimitPolicy(['address', 'api-key'])}\``);
    expect(text).toContain(`\`RateLimit: ${refusalHeaders('api-key').RateLimit}\``);
    expect(text).toContain(`\`Retry-After: ${refusalHeaders('api-key')['Retry-After']}\``);
  });

  test.each(Object.entries(SECURITY_HEADERS))('has the header %s as it is', (name, value) => {
    expect(rows.find((row) => row.startsWith(`| \`${name}\` |`))).toContain(`| \`${value}\``);
  });

  test('names every script that it tells to run', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const told = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect(told).toEqual(expect.arrayContaining(['advisories', 'bundle']));
    for (const name of told) expect(scripts, name).toHaveProperty([name]);
  });
});
