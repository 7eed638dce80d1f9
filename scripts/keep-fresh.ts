/**
 * For scripts that generate a committed file: writes it, or with `--check` compares it and fails when it is stale.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** `path` is relative to the repository. */
export function keepFresh(path: string, text: string): void {
  const file = new URL(`../${path}`, import.meta.url);
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
    return;
  }
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  console.error(`${path} is stale: run its script without --check and commit the result`);
  process.exitCode = 1;
}
