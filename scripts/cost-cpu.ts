/** The processor time of a local Worker's runtime: for an upper bound of what `npm run cost` cannot count from inside. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second, whatever the kernel's own tick. */
const MS_PER_TICK = 10;

/** User and system time of every workerd in wrangler's process group, in milliseconds; 0 where there is no /proc. */
export function cpuMsOf(groupId: number): number {
  return processes().reduce((sum, stat) => {
    // After the name, which may hold anything: state, parent, group, …; user and system time are the 12th and 13th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isRuntime = stat.includes('(workerd)') && Number(fields[2]) === groupId;
    return isRuntime ? sum + (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK : sum;
  }, 0);
}

function processes(): string[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return [readFileSync(`/proc/${pid}/stat`, 'utf8')];
        } catch {
          // Ended since it was listed.
          return [];
        }
      });
  } catch {
    // Another system: the bound is left out.
    return [];
  }
}
