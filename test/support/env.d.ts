declare module '*.sql?raw' {
  const text: string;
  export default text;
}

declare namespace Cloudflare {
  interface Env {
    TEST_MIGRATIONS: import('cloudflare:test').D1Migration[];
    /** What a run is to be drawn with; only where the run was started with one (vitest.config.ts). */
    HOLDFAST_SEED?: string;
    /** How many rows P9 flips. */
    AUDIT_FLIPS: string;
    /** Dead commands of P8 (test/contention). */
    DEAD_COMMANDS: string;
    TEST_RATE_LIMIT: RateLimit;
    /** Of the projects that export traces (vitest.config.ts). */
    OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  }
}

/** A file's text (vite). */
declare module '*?raw' {
  const text: string;
  export default text;
}

/** vitest under a name that the mutation run does not replace (vitest.mutation.config.ts). */
declare module 'vitest-itself' {
  export * from 'vitest';
}
