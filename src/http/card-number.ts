/**
 * Pure: finds card numbers (PANs) in text, so that none is ever stored, logged or sent on. Meant for accidents, not for
 * an adversary: what people paste. Leans to refusing, except for ids that machines make. Called by the body scan, for
 * idempotency keys, for paths and queries, and before a path is repeated in a problem.
 */

/** ISO/IEC 7812-1: a card number has 13 to 19 digits, here bare or in groups parted by one space or dash. */
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
/** Digits in groups. After a plus sign it is a telephone number. */
const RUN = /(?<![0-9+])[0-9]+(?:[ -][0-9]+)*/g;

/**
 * Whether `text` holds a card number. A candidate is one whole group of digits, a whole run of groups, or groups inside
 * a run that are set as on a card; it counts when it has 13–19 digits, an issuer's first digits and a valid check digit.
 */
export function containsCardNumber(text: string): boolean {
  if (text.length < DIGITS_MIN) return false;
  for (const [run] of text.replaceAll(MACHINE_ID, '#').matchAll(RUN)) {
    if (run.length >= DIGITS_MIN && candidates(run.split(/[ -]/)).some(isCardNumber)) return true;
  }
  return false;
}

/** The same of a part of a URL: also when it is percent-encoded. */
export function holdsCardNumber(part: string): boolean {
  return containsCardNumber(part) || (part.includes('%') && containsCardNumber(decoded(part)));
}

/** Escape by escape, so that one that is broken hides no other. */
function decoded(part: string): string {
  return part.replaceAll(/%[0-7][0-9a-f]/gi, decodeURIComponent);
}

function candidates(groups: readonly string[]): string[] {
  const found = [...groups, groups.join('')];
  for (let start = 0; start < groups.length; start += 1) {
    for (const length of [3, 4, 5]) {
      const window = groups.slice(start, start + length);
      if (PRINTED_GROUPS.test(window.map((group) => group.length).join(','))) found.push(window.join(''));
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
