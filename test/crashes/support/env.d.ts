declare namespace Cloudflare {
  interface Env {
    /** Which pairs of points: `all`, of every flow; `balance`, all of that flow; empty, a third of them. */
    CRASH_PAIRS?: string;
  }
}
