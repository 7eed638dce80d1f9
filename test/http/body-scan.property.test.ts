/** The scan of a body's text against JSON.parse, and against arithmetic that cannot round: BigInt. HOLDFAST_SEED repeats a run. */
import { env } from 'cloudflare:workers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BODY_BYTES_MAX, BODY_DEPTH_MAX } from '../../src/domain/limits.ts';
import { escapePointer, isTooDeep, scanBody } from '../../src/http/body-scan.ts';
import { containsCardNumber } from '../../src/http/card-number.ts';

const RUN = { seed: Number(env.HOLDFAST_SEED ?? 20261130), numRuns: 1_000 };

/** No card numbers and nothing that JavaScript would lose, so that every finding is the planted one. */
const name = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text !== '__proto__');
const json = fc
  .jsonValue({ maxDepth: 4, stringUnit: 'binary' })
  .filter((value) => !/__proto__/.test(JSON.stringify(value)) && !containsCardNumber(JSON.stringify(value)));
const space = fc.constantFrom('', ' ', '\t', '\r\n');
const pointerOf = (path: readonly (string | number)[]) =>
  path.map((part) => `/${escapePointer(String(part))}`).join('');

/** Escapes every character: another spelling of the same name. */
const spelt = (text: string) =>
  `"${[...text.split('')].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;

describe('a name', () => {
  it('that is there once in each object is no finding, whatever the values and the white space', () => {
    fc.assert(
      fc.property(json, space, (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(scanBody(text)?.message ?? '').not.toMatch(/twice/);
      }),
      RUN,
    );
  });

  it('that is there twice is found where it is, however it is spelt, though its first value be lost', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 4 }), name, json, json, space, (path, twice, one, other, gap) => {
        const object = `{${gap}${JSON.stringify(twice)}:${JSON.stringify(one)},${gap}${spelt(twice)}${gap}:${JSON.stringify(other)}}`;
        const text = path.reduceRight((inner, key) => `{${JSON.stringify(key)}:[${inner}]}`, object);
        const expected = pointerOf([...path.flatMap((key) => [key, 0]), twice]);
        JSON.parse(text);
        const lost = `{"a":${text},"a":1}`;
        if (!isTooDeep(lost))
          expect(scanBody(lost)).toMatchObject({ code: 'validation_failed', pointer: `/a${expected}` });
        expect(scanBody(text)).toMatchObject({ code: 'validation_failed', pointer: expected });
      }),
      RUN,
    );
  });
});

describe('a number', () => {
  const digits = fc.stringMatching(/^[0-9]{0,25}$/);
  const literal = fc
    .record({
      sign: fc.constantFrom('', '-'),
      whole: digits,
      fraction: digits,
      exponent: fc.option(fc.integer({ min: -60, max: 60 })),
    })
    .map(({ sign, whole, fraction, exponent }) => {
      const point = fraction === '' ? '' : `.${fraction}`;
      return `${sign}${whole.replace(/^0+/, '') || '0'}${point}${exponent === null ? '' : `e${exponent}`}`;
    });

  function isWhole(text: string): boolean {
    const [mantissa = '', exponent = '0'] = text.split('e');
    const [whole = '', fraction = ''] = mantissa.split('.');
    const scale = fraction.length - Number(exponent);
    return scale <= 0 || BigInt(whole + fraction) % 10n ** BigInt(scale) === 0n;
  }

  it('is refused exactly if it is no whole number and its double is one', () => {
    fc.assert(
      fc.property(literal, (text) => {
        const isRounded = Number.isInteger(Number(text)) && !isWhole(text);
        expect(scanBody(`{"amount":${text}}`)?.pointer ?? null, text).toBe(isRounded ? '/amount' : null);
      }),
      { ...RUN, examples: [['0.99999999999999999'], ['8999999999999999.9'], ['1.0'], ['1e2'], ['100e-2'], ['1e-400']] },
    );
  });
});

it.each([
  ['numbers', `[${'0,'.repeat(BODY_BYTES_MAX / 2 - 2)}0]`],
  ['empty lists', `[${'[],'.repeat(BODY_BYTES_MAX / 3 - 2)}0]`],
  ['names', `{${Array.from({ length: BODY_BYTES_MAX / 10 }, (_, n) => `"n${n}":0`).join(',')}}`],
  ['one text', `"${'\\n'.repeat(BODY_BYTES_MAX / 2 - 1)}"`],
  ['one number', `0.${'0'.repeat(BODY_BYTES_MAX - 3)}1`],
  ['brackets', '['.repeat(BODY_BYTES_MAX / 2) + ']'.repeat(BODY_BYTES_MAX / 2)],
  ['brackets in a value that is lost', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)},"a":1}`],
])('the largest body, of %s, is read in time that grows with it, not faster', (_case, text) => {
  JSON.parse(text);
  const startedAtMs = Date.now();
  if (!isTooDeep(text)) scanBody(text);
  expect(Date.now() - startedAtMs).toBeLessThan(2_000);
});

it('the deepest nesting that is taken is BODY_DEPTH_MAX; brackets in a text are none', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  expect([BODY_DEPTH_MAX, BODY_DEPTH_MAX + 1].map((levels) => isTooDeep(nested(levels)))).toEqual([false, true]);
  expect(isTooDeep(`["\\"${'['.repeat(99)}", {}, [], {"]": "}"}]`)).toBe(false);
});
