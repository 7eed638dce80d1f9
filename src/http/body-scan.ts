/**
 * Pure: walks a parsed JSON body once, before any schema sees it, and reports the first thing that no endpoint takes:
 * nesting that is too deep, text that is not Unicode, a member that JavaScript would lose, or a card number.
 */
import { BODY_DEPTH_MAX } from '../domain/limits.ts';
import { containsCardNumber } from './card-number.ts';

export interface ScanFinding {
  readonly code: 'invalid_json' | 'validation_failed' | 'pan_in_request';
  readonly pointer: string;
  readonly message: string;
}

/** Amounts are whole minor units and may well pass the card check; everywhere else a number of that length is looked at. */
const AMOUNT_POINTER = '/amount';

/**
 * The first finding in document order, or null. Checks of each value, in order: depth → text is well-formed UTF-16 → no
 * `__proto__` → no card number, in names, in strings, and in numbers other than the amount.
 */
export function scanBody(value: unknown, pointer = '', depth = 1): ScanFinding | null {
  if (typeof value === 'string') return scanText(value, pointer);
  if (typeof value === 'number') return pointer === AMOUNT_POINTER ? null : scanText(String(value), pointer);
  if (typeof value !== 'object' || value === null) return null;
  if (depth > BODY_DEPTH_MAX) {
    return { code: 'invalid_json', pointer, message: `Nested deeper than ${BODY_DEPTH_MAX} levels.` };
  }
  for (const [name, member] of Object.entries(value)) {
    const finding = scanName(name, pointer) ?? scanBody(member, `${pointer}/${escapePointer(name)}`, depth + 1);
    if (finding !== null) return finding;
  }
  return null;
}

/** A name as one part of a JSON pointer (RFC 6901, section 3). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A finding in a name points at its parent: the name itself must not be repeated. */
function scanName(name: string, parent: string): ScanFinding | null {
  if (name === '__proto__') {
    return { code: 'validation_failed', pointer: `${parent}/${name}`, message: 'This name cannot be used.' };
  }
  return scanText(name, parent);
}

function scanText(text: string, pointer: string): ScanFinding | null {
  if (!text.isWellFormed()) {
    return { code: 'validation_failed', pointer, message: 'The text holds half of a surrogate pair.' };
  }
  if (containsCardNumber(text)) {
    return { code: 'pan_in_request', pointer, message: 'This looks like a card number. Send a token instead.' };
  }
  return null;
}
