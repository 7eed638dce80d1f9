/**
 * Pure: amounts in minor units and the currencies the service knows.
 * Never floats, never strings, never BigInt (the storage layer cannot bind it).
 */
import { InvariantError } from './errors.ts';
import { AMOUNT_MINOR_MAX } from './limits.ts';

/** ISO 4217 (2024) codes in circulation, by the number of decimals of their minor unit. */
const CODES_BY_EXPONENT: Readonly<Record<0 | 2 | 3, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF',
  2:
    'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP ' +
    'CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR ' +
    'JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN ' +
    'NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP ' +
    'SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW',
  3: 'BHD IQD JOD KWD LYD OMR TND',
};

const EXPONENTS: ReadonlyMap<string, number> = new Map(
  Object.entries(CODES_BY_EXPONENT).flatMap(([exponent, codes]) =>
    codes.split(' ').map((code): [string, number] => [code, Number(exponent)]),
  ),
);

/** Whether `code` is a currency that a wallet or a payment may be in. Case matters: ISO 4217 codes are upper case. */
export function isCurrency(code: string): boolean {
  return EXPONENTS.has(code);
}

/**
 * The number of decimals of the currency's minor unit: CLP 0, USD 2, KWD 3.
 * @throws InvariantError for a code that `isCurrency` refuses: callers validate first.
 */
export function currencyExponent(code: string): number {
  const exponent = EXPONENTS.get(code);
  if (exponent === undefined) throw new InvariantError('currency_known', { code });
  return exponent;
}

/** Whether `value` is an amount that money may be moved in: a whole number of minor units, 1 to AMOUNT_MINOR_MAX. */
export function isAmountMinor(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && value <= AMOUNT_MINOR_MAX;
}

/** `left + right` in minor units, or null where the sum leaves the range 0 … AMOUNT_MINOR_MAX. */
export function addMinor(left: number, right: number): number | null {
  const sum = left + right;
  return Number.isSafeInteger(sum) && sum >= 0 && sum <= AMOUNT_MINOR_MAX ? sum : null;
}

/** An amount in minor units as a decimal string for people and for providers that want decimals: 1230 USD → "12.30". */
export function formatMinor(amountMinor: number, currency: string): string {
  const exponent = currencyExponent(currency);
  const digits = String(Math.abs(amountMinor)).padStart(exponent + 1, '0');
  const sign = amountMinor < 0 ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
