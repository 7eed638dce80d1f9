/**
 * Pure: finds card numbers (PANs) in text, so that none is ever stored, logged or sent on. Meant for accidents, not for
 * an adversary: what people paste. Leans to refusing, except for ids that machines make. Called by the body scan, for
 * idempotency keys, for paths and queries, and before a path is repeated in a problem.
 */

/** ISO/IEC 7812-1: a card number has 13 to 19 digits, here bare or in groups. */
const DIGITS_MIN = 13;
const DIGITS_MAX = 19;
/** First digits that card schemes issue under: Visa, Mastercard, Maestro, Amex, Diners, JCB, Discover, UnionPay, Mir. */
const ISSUER = /^(?:2[2-7]|3[0-9]|[456]|81)/;
/** Lengths of the leading groups on the cards themselves: 4-4-4-4(-3), Amex 4-6-5, Diners 4-6-4. */
const PRINTED_GROUPS = /^(?:4,4,4,(?:4,)?[1-4]|4,6,[45])$/;
/** Made by machines, with long runs of digits by chance: ids of ours (a new form belongs here), UUIDs, digests as in `rec_…`. */
const MACHINE_IDS = [
  '(?:pay|ref|wal)_[0-9a-z]{43}',
  '(?:ak|we)_[0-9a-z]{22}',
  'wd_[0-9a-z]{22}_[0-9]{1,15}_[0-9a-f]{16}',
  '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  '(?=[0-9]*[a-f])[0-9a-f]{32,}',
];
/** Not `\b`: an underscore parts an id from its prefix. */
const MACHINE_ID = new RegExp(`(?<![0-9a-z])(?:${MACHINE_IDS.join('|')})(?![0-9a-z])`, 'gi');
/** A telephone number's plus sign, and not a form's space. */
const PLUS = '(?<![0-9a-z])\\+';
/** E.164: a telephone number has 15 digits at most. */
const TELEPHONE_DIGITS_MAX = 15;
/** Digits in groups, parted by one space or dash; but not those of a telephone number up to its first space or dash. */
const RUN = new RegExp(`(?<![0-9])(?:(?<!${PLUS})|(?=[0-9]{${TELEPHONE_DIGITS_MAX + 1}}))[0-9]+(?:[ -][0-9]+)*`, 'gi');
/** What else parts groups where it is pasted: any space, dash or character that does not show, a dot, a form's `+`; no end of a line. */
const GAP = '[\\t\\p{Zs}\\p{Pd}\\p{Cf}.+\\u2212]{1,3}';
const GAPS = new RegExp(GAP, 'u');
/** Nothing follows the last group in the pattern: it is matched without a second try, in time that grows with the text. */
const LOOSE_RUN = new RegExp(`[0-9]+(?:${GAP}[0-9]+)+`, 'gu');
const BEHIND_PLUS = new RegExp(`${PLUS}$`, 'i');

/**
 * Whether `text` holds a card number. A candidate is one whole group of digits, a whole run of groups, or groups inside
 * a run that are set as on a card, and only these where something else than one space or dash parts them; it counts when it
 * has 13–19 digits, an issuer's first digits and a valid check digit.
 */
export function containsCardNumber(text: string): boolean {
  if (text.length < DIGITS_MIN) return false;
  const searched = text.replaceAll(MACHINE_ID, '#');
  for (const [run] of searched.matchAll(RUN)) {
    if (run.length < DIGITS_MIN) continue;
    const groups = run.split(/[ -]/);
    if ([...groups, groups.join(''), ...printed(groups)].some(isCardNumber)) return true;
  }
  for (const { 0: run, index } of searched.matchAll(LOOSE_RUN)) {
    if (run.length < DIGITS_MIN) continue;
    const isTelephone = BEHIND_PLUS.test(searched.slice(Math.max(0, index - 2), index));
    const found = printed(run.split(GAPS), isTelephone ? TELEPHONE_DIGITS_MAX + 1 : DIGITS_MIN);
    if (found.some(isCardNumber)) return true;
  }
  return false;
}

/** The same also where it is percent-encoded: in a URL, or in what was pasted out of one or out of a form. */
export function holdsCardNumber(text: string): boolean {
  return containsCardNumber(text) || (text.includes('%') && containsCardNumber(decoded(text)));
}

/** Escape by escape, so that one that is broken hides no other: ASCII, and in UTF-8 the spaces and dashes that are not. */
function decoded(text: string): string {
  return text.replaceAll(/%[0-7][0-9a-f]|%c2%[89ab][0-9a-f]|%e2%8[0-9a-f]%[89ab][0-9a-f]/gi, decodeURIComponent);
}

/** The groups that are set as on a card. @param firstMin how many digits those must have that begin with the first group. */
function printed(groups: readonly string[], firstMin = DIGITS_MIN): string[] {
  const found: string[] = [];
  for (let start = 0; start < groups.length; start += 1) {
    for (const length of [3, 4, 5]) {
      const window = groups.slice(start, start + length);
      if (!PRINTED_GROUPS.test(window.map((group) => group.length).join(','))) continue;
      const digits = window.join('');
      if (start > 0 || digits.length >= firstMin) found.push(digits);
    }
  }
  return found;
}

function isCardNumber(digits: string): boolean {
  return digits.length >= DIGITS_MIN && digits.length <= DIGITS_MAX && ISSUER.test(digits) && passesLuhn(digits);
}

/** ISO/IEC 7812-1, annex B: from the right, every second digit doubled, digits summed, a multiple of ten. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let fromRight = 0; fromRight < digits.length; fromRight += 1) {
    const digit = Number(digits.charAt(digits.length - 1 - fromRight));
    const weighted = fromRight % 2 === 1 ? digit * 2 : digit;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}
