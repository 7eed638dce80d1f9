/**
 * One `npm run dev` per local state: two runtimes that write the same SQLite files break each other's requests (SQLITE_BUSY). The lock is a
 * file in the state's folder, with the process and its port. Called by dev.ts.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from './command-line.ts';

export interface Holder {
  readonly pid: number;
  readonly port: string;
}

/**
 * Takes the state, and makes its folder. What a process left that has ended is taken over.
 * @returns gives it back.
 * @throws for a state that another process has, and for a folder that cannot be made; with a sentence for a person.
 */
export function lockState(state: string, self: Holder): () => void {
  try {
    mkdirSync(state, { recursive: true });
  } catch (error) {
    throw new Error(`${state} cannot be a state's folder: ${messageOf(error)}`);
  }
  const file = join(state, 'dev.lock');
  if (existsSync(file)) {
    const holder = holderIn(file);
    if (holder !== null && isRunning(holder.pid)) {
      throw new Error(
        `${state} is in use by process ${holder.pid} on port ${holder.port}; give this one --persist-to DIR (and --port).\n` +
          `If that process is no npm run dev: delete ${file}.`,
      );
    }
    rmSync(file, { force: true });
  }
  // Of two that begin at once, one makes it.
  writeFileSync(file, JSON.stringify(self), { flag: 'wx' });
  return () => rmSync(file, { force: true });
}

/** null: it does not say who. */
function holderIn(file: string): Holder | null {
  try {
    const { pid, port } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder>;
    return Number.isSafeInteger(pid) && pid !== undefined && pid > 0 ? { pid, port: String(port) } : null;
  } catch {
    // Half of a file, of a process that was killed while it wrote; or gone just now.
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !hasEnded(pid);
  } catch (error) {
    // EPERM: it runs, and is another user's.
    return Reflect.get(Object(error), 'code') === 'EPERM';
  }
}

/** Killed, and not yet waited for: where process 1 waits for nobody (a container without an init) it stays so. */
function hasEnded(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    // No such file on another system, where a signal's answer is all there is.
    return false;
  }
}
