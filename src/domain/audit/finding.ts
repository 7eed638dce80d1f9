/**
 * Pure: what an audit finds: where, which rule is broken, and how; and the collecting of it, bounded. Never decides what is
 * to be done about it: docs/runbook.md does. Used by every part of the audit.
 */

export interface Finding {
  /** The row: `wallet default/wal-1`, `payment pay_…`, `counter metrics.…`, `audit_log 7`. */
  readonly where: string;
  /** An invariant (L1 … L6, S9, X1), or what else is checked: `seal`, `counter`, `log`. */
  readonly rule: string;
  readonly what: string;
}

/** Findings about one thing; one broken row can spoil all that follow it, and more than this tells nothing new. */
export const FINDINGS_MAX = 20;

/** Collects what does not hold about one thing. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  expect(holds: boolean, rule: string, what: string): void {
    if (!holds && this.all.length < FINDINGS_MAX) this.all.push({ where: this.#where, rule, what });
  }

  /** What is stored may be no JSON, or of another shape: an audit that throws would report nothing. */
  guard(rule: string, what: string, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.expect(false, rule, `${what} cannot be read: ${error instanceof Error ? error.name : 'unknown'}`);
    }
  }
}
