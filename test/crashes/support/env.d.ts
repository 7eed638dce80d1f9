declare namespace Cloudflare {
  interface Env {
    /** `all`: every pair of points of every flow, not of one. */
    CRASH_PAIRS?: string;
  }
}
