/**
 * Pure: reads the text of a JSON body once, before any schema sees what became of it, and reports the first thing that no endpoint
 * takes: a name that JavaScript would lose, a number that it would change, text that is not Unicode, or a card number. The text and not
 * the value that JSON.parse makes of it: there, all this has already happened without a word (decision 0082). Called by json-body.ts.
 */
import { parse, type ValueNode } from '@humanwhocodes/momoa';
import { BODY_DEPTH_MAX } from '../domain/limits.ts';
import { holdsCardNumber } from './card-number.ts';

export interface ScanFinding {
  readonly code: 'validation_failed' | 'pan_in_request';
  readonly pointer: string;
  readonly message: string;
}

/** Amounts are whole minor units and may well pass the card check; everywhere else a number of that length is looked at. */
const AMOUNT_POINTER = '/amount';

/**
 * Where text that is no JSON stops being it, for people: `line 3, column 1`, the end of what was understood before. null: that cannot be
 * said. Nothing of the text is repeated.
 */
export function placeOfMistake(text: string): string | null {
  try {
    parse(text, { mode: 'json' });
  } catch (error) {
    // The parser recurses: of text that nests too deep there is a RangeError, without a place.
    const { line, column } = error as { readonly line?: number; readonly column?: number };
    if (line !== undefined && column !== undefined) return `line ${line}, column ${column}`;
  }
  return null;
}

/** Whether there are more than BODY_DEPTH_MAX levels. `text` is valid JSON. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') depth += 1;
    if (token === ']' || token === '}') depth -= 1;
    if (depth > BODY_DEPTH_MAX) return true;
  }
  return false;
}

/**
 * The first finding in document order, or null. Checks of each name, in order: no `__proto__` → well-formed UTF-16 → no card number →
 * not there already (RFC 7493, section 2.3). Of each number: not whole by rounding alone → no card number, but in the amount.
 * @param text valid JSON, and not too deep: the parser recurses.
 */
export function scanBody(text: string): ScanFinding | null {
  return scanValue(text, parse(text, { mode: 'json', ranges: true }).body, '');
}

function scanValue(text: string, node: ValueNode, pointer: string): ScanFinding | null {
  switch (node.type) {
    case 'String':
      return scanText(node.value, pointer);
    case 'Number':
      return scanNumber(text.slice(...(node.range ?? [])), pointer);
    case 'Array':
      return firstOf(node.elements, ({ value }, index) => scanValue(text, value, `${pointer}/${index}`));
    case 'Object': {
      const names = new Set<string>();
      return firstOf(node.members, ({ name: key, value }) => {
        const name = key.type === 'String' ? key.value : key.name;
        return scanName(name, names, pointer) ?? scanValue(text, value, `${pointer}/${escapePointer(name)}`);
      });
    }
    default:
      return null;
  }
}

function firstOf<Item>(
  items: readonly Item[],
  scan: (item: Item, index: number) => ScanFinding | null,
): ScanFinding | null {
  for (const [index, item] of items.entries()) {
    const finding = scan(item, index);
    if (finding !== null) return finding;
  }
  return null;
}

/** A name as one part of a JSON pointer (RFC 6901, section 3). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A finding in a name points at its parent, unless the name may be repeated. `names`: those before it, to which it is added. */
function scanName(name: string, names: Set<string>, parent: string): ScanFinding | null {
  const pointer = `${parent}/${escapePointer(name)}`;
  if (name === '__proto__') return { code: 'validation_failed', pointer, message: 'This name cannot be used.' };
  const finding = scanText(name, parent);
  if (finding !== null) return finding;
  if (names.has(name)) return { code: 'validation_failed', pointer, message: 'The object has this name twice.' };
  names.add(name);
  return null;
}

function scanNumber(digits: string, pointer: string): ScanFinding | null {
  const value = Number(digits);
  if (Number.isInteger(value) && !isWhole(digits)) {
    return { code: 'validation_failed', pointer, message: 'Not a whole number, and too long to be told from one.' };
  }
  return pointer === AMOUNT_POINTER ? null : (scanText(digits, pointer) ?? scanText(String(value), pointer));
}

/** Whether a number of JSON (RFC 8259, section 6) is whole as it is written: `1.0` and `1e2` are, `1e-2` is not. */
function isWhole(digits: string): boolean {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?([0-9]+)(?:\.([0-9]+))?(?:e(.+))?$/i.exec(digits) ?? [];
  const all = whole + fraction;
  let zeros = 0;
  while (zeros < all.length && all.charAt(all.length - 1 - zeros) === '0') zeros += 1;
  return zeros === all.length || fraction.length - Number(exponent) <= zeros;
}

function scanText(text: string, pointer: string): ScanFinding | null {
  if (!text.isWellFormed()) {
    return { code: 'validation_failed', pointer, message: 'The text holds half of a surrogate pair.' };
  }
  if (holdsCardNumber(text)) {
    return { code: 'pan_in_request', pointer, message: 'This looks like a card number. Send a token instead.' };
  }
  return null;
}
