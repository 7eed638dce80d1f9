/** The outcome mapping of the Mercado Pago adapter, row by row: transport × HTTP status × body → answer. */
import { describe, expect, it } from 'vitest';
import type { AuthorizeRequest, ChargeRequest, ProviderAnswer } from '../../src/gateway/provider.ts';
import { MercadoPagoAdapter } from '../../src/gateway/providers/mercado-pago.ts';
import { http, NO_ANSWER, PAN, type Reply, type Row, replying } from './support/replies.ts';

const CHARGE: ChargeRequest = {
  paymentId: 'pay_1',
  key: 'pay_1.x.mercado-pago',
  effectId: 'orchestrator.gateway.authorize.pay_1.3',
  chargeKey: 'pay_1.a.mercado-pago',
  chargeReference: '77',
  amountMinor: 1_230,
  currency: 'BRL',
};
const AUTHORIZE: AuthorizeRequest = {
  ...CHARGE,
  method: 'credit_card',
  merchant: 'default',
  serviceId: 'svc-1',
  customerId: '1-abc',
  token: 'visa:0123456789abcdef',
};

const payment = (status: string, more: object = {}) => ({
  id: 77,
  status,
  transaction_amount: 12.3,
  currency_id: 'BRL',
  external_reference: 'pay_1',
  ...more,
});
const refund = (status: string, more: object = {}) => ({ id: 99, payment_id: 77, amount: 12.3, status, ...more });
const found = (...results: unknown[]) => ({ paging: { total: results.length }, results });
const error = (...codes: (number | string)[]) => ({
  message: `no ${PAN}`,
  cause: codes.map((code) => ({ code, description: `no ${PAN}` })),
});
const unknown = (reason: string): ProviderAnswer => ({ kind: 'unknown', reason });
type Rows = readonly (readonly [string, readonly [() => Reply, ...(() => Reply)[]], ProviderAnswer])[];

/** Beyond those of every provider. */
const MERCADO_PAGO_NO_ANSWER: readonly Row[] = [
  ['409', http(409, error(2063)), unknown('http_409')],
  ['400 without a cause', http(400, { message: 'bad' }), unknown('http_400')],
  ['400 "already posted in the last minute"', http(400, error(2001)), unknown('cause_2001')],
  ['400 of its own gateway', http(400, error(2004)), unknown('cause_2004')],
  ['400 with two causes', http(400, error(2062, 4037)), unknown('cause_2062')],
  ['400 with a card number for a cause', http(400, error(PAN)), unknown('cause_unknown')],
  ['400 for a test account', http(400, error(3)), { kind: 'misconfigured', reason: 'cause_3' }],
  ['400 without our key', http(400, error(4292)), { kind: 'misconfigured', reason: 'cause_4292' }],
  ['404 of another route', http(404, { message: 'resource not found' }), unknown('http_404')],
];

/** As the reference lists them for a payment that is created (HTTP 400); none of them has made one. */
const CAUSES_OF_THE_CARD: readonly (readonly [cause: number, code: string])[] = [
  [2072, 'invalid_amount'],
  [2077, 'card_not_supported'],
  [2131, 'card_not_supported'],
  [3010, 'card_not_supported'],
  [3011, 'card_not_supported'],
  [3012, 'incorrect_cvc'],
  [3013, 'incorrect_cvc'],
  [3014, 'card_not_supported'],
  [3015, 'incorrect_number'],
  [3016, 'incorrect_number'],
  [3017, 'incorrect_number'],
  [3018, 'expired_card'],
  [3019, 'expired_card'],
  [3020, 'invalid_token'],
  [3021, 'invalid_token'],
  [3022, 'invalid_token'],
  [3023, 'invalid_token'],
  [3025, 'invalid_token'],
  [3026, 'invalid_token'],
  [3027, 'card_not_supported'],
  [3028, 'card_not_supported'],
  [3029, 'expired_card'],
  [3030, 'expired_card'],
  [3031, 'incorrect_cvc'],
  [3032, 'incorrect_cvc'],
  [3033, 'incorrect_number'],
  [3034, 'incorrect_number'],
  [4033, 'invalid_amount'],
  [4037, 'invalid_amount'],
];

const rejected = (detail?: string) => http(201, payment('rejected', { status_detail: detail }));
const AUTHORIZE_ROWS: Rows = [
  ['authorized', [http(201, payment('authorized'))], { kind: 'approved', reference: '77', captured: false }],
  ['approved', [http(201, payment('approved'))], { kind: 'approved', reference: '77', captured: true }],
  ['in_process', [http(201, payment('in_process'))], { kind: 'pending', reference: '77' }],
  ['pending', [http(201, payment('pending'))], { kind: 'pending', reference: '77' }],
  ...(
    [
      ['cc_rejected_insufficient_amount', 'insufficient_funds'],
      ['cc_rejected_bad_filled_security_code', 'incorrect_cvc'],
      ['cc_rejected_bad_filled_date', 'expired_card'],
      ['cc_rejected_bad_filled_card_number', 'incorrect_number'],
      ['cc_rejected_call_for_authorize', 'call_issuer'],
      ['cc_rejected_high_risk', 'fraudulent'],
      ['cc_rejected_duplicated_payment', 'duplicate_transaction'],
      ['cc_rejected_max_attempts', 'limit_exceeded'],
      ['cc_rejected_3ds_mandatory', 'authentication_required'],
      ['cc_rejected_other_reason', 'generic_decline'],
      ['cc_rejected_of_the_future', 'generic_decline'],
      [`no ${PAN}`, 'generic_decline'],
      [undefined, 'generic_decline'],
    ] as const
  ).map(
    ([detail, declineCode]) =>
      [
        `rejected inside 201: ${detail}`,
        [rejected(detail)],
        { kind: 'declined', declineCode, reference: '77' },
      ] as const,
  ),
  ['cancelled', [http(201, payment('cancelled'))], unknown('answer_unexpected')],
  ['charged_back', [http(201, payment('charged_back'))], unknown('answer_unexpected')],
  ['a status of the future', [http(201, payment('in_doubt'))], unknown('answer_unexpected')],
  ['another currency', [http(201, payment('approved', { currency_id: 'ARS' }))], unknown('answer_mismatch')],
  ['another amount', [http(201, payment('approved', { transaction_amount: 1_230 }))], unknown('answer_mismatch')],
  [
    'a bad token, and nothing is found',
    [http(400, error(2006)), http(200, found())],
    { kind: 'refused', code: 'invalid_token' },
  ],
  [
    'a bad token, and a payment is found',
    [http(400, error('2006')), http(200, found(payment('authorized'))), http(200, payment('authorized'))],
    { kind: 'approved', reference: '77', captured: false },
  ],
  ['a bad token, and the search fails', [http(400, error(2006)), http(500, '')], unknown('http_500')],
  ...CAUSES_OF_THE_CARD.map(
    ([cause, code]) =>
      [`refused for cause ${cause}`, [http(400, error(cause)), http(200, found())], { kind: 'refused', code }] as const,
  ),
  ['404 "payment not found"', [http(404, error(2000))], unknown('http_404')],
];

const state = http(400, error(2063));
const CAPTURE_ROWS: Rows = [
  ['approved', [http(200, payment('approved'))], { kind: 'captured', reference: '77' }],
  ['in_process', [http(200, payment('in_process'))], { kind: 'pending', reference: '77' }],
  ['still authorized', [http(200, payment('authorized'))], unknown('answer_unexpected')],
  ['refused, and it is approved', [state, http(200, payment('approved'))], { kind: 'captured', reference: '77' }],
  [
    'refused, and it is cancelled',
    [state, http(200, payment('cancelled'))],
    { kind: 'refused', code: 'charge_voided', reference: '77' },
  ],
  [
    'refused, and it still stands',
    [state, http(200, payment('authorized'))],
    { kind: 'refused', code: 'charge_state' },
  ],
  ['refused, and it cannot be read', [state, http(500, '')], unknown('http_500')],
  ['500, and it is approved', [http(500, ''), http(200, payment('approved'))], { kind: 'captured', reference: '77' }],
  ['500, and it still stands', [http(500, ''), http(200, payment('authorized'))], unknown('http_500')],
  ['404', [http(404, error(2000))], { kind: 'absent' }],
];
const VOID_ROWS: Rows = [
  ['cancelled', [http(200, payment('cancelled'))], { kind: 'voided', reference: '77' }],
  ['refused, and it is cancelled', [state, http(200, payment('cancelled'))], { kind: 'voided', reference: '77' }],
  ['refused, and it is rejected', [state, http(200, payment('rejected'))], { kind: 'voided', reference: '77' }],
  [
    'refused, and it is approved',
    [state, http(200, payment('approved'))],
    { kind: 'refused', code: 'charge_captured', reference: '77' },
  ],
  ['404', [http(404, error(2000))], { kind: 'absent' }],
];
const REFUND_ROWS: Rows = [
  ['approved', [http(201, refund('approved'))], { kind: 'refunded', reference: '99' }],
  ['in_process', [http(201, refund('in_process'))], { kind: 'pending', reference: '99' }],
  ['rejected', [http(201, refund('rejected'))], { kind: 'refused', code: 'refund_rejected', reference: '99' }],
  ['too old', [http(400, error(2024)), http(200, [])], { kind: 'refused', code: 'payment_too_old' }],
  [
    'refused, and the whole was given',
    [state, http(200, [refund('approved')]), http(200, payment('refunded'))],
    { kind: 'refunded', reference: '99' },
  ],
  [
    'refused, and as much of more was given',
    [state, http(200, [refund('approved')]), http(200, payment('approved', { transaction_amount: 99 }))],
    unknown('refund_not_told_apart'),
  ],
  [
    'refused, and another part was given',
    [state, http(200, [refund('approved', { amount: 1 })])],
    { kind: 'refused', code: 'charge_state' },
  ],
  [
    'refused, and the one before was rejected',
    [state, http(200, [refund('rejected')])],
    { kind: 'refused', code: 'charge_state' },
  ],
  ['404', [http(404, error(2000))], { kind: 'absent' }],
];
const LOOKUP_ROWS: Rows = [
  ['authorized', [http(200, payment('authorized'))], { kind: 'approved', reference: '77', captured: false }],
  ['approved', [http(200, payment('approved'))], { kind: 'approved', reference: '77', captured: true }],
  ['in_mediation', [http(200, payment('in_mediation'))], { kind: 'approved', reference: '77', captured: true }],
  ['rejected', [http(200, payment('rejected'))], { kind: 'declined', declineCode: 'generic_decline', reference: '77' }],
  ['cancelled', [http(200, payment('cancelled'))], { kind: 'voided', reference: '77' }],
  ['refunded', [http(200, payment('refunded'))], { kind: 'refunded', reference: '77' }],
  ['charged_back', [http(200, payment('charged_back'))], unknown('answer_unexpected')],
  ['404 of a charge that was heard of', [http(404, error(2000))], unknown('charge_not_found')],
];
/** With no reference: the search, then each find. */
const SEARCH_ROWS: Rows = [
  ['nothing', [http(200, found())], { kind: 'absent' }],
  ['another payment', [http(200, found(payment('approved', { external_reference: 'pay_2' })))], { kind: 'absent' }],
  [
    'one',
    [http(200, found(payment('pending'))), http(200, payment('authorized'))],
    { kind: 'approved', reference: '77', captured: false },
  ],
  [
    'a rejected and an authorized one',
    [
      http(200, found(payment('rejected'), payment('authorized', { id: 78 }))),
      http(200, payment('rejected')),
      http(200, payment('authorized', { id: 78 })),
    ],
    { kind: 'approved', reference: '78', captured: false },
  ],
  [
    'two authorized ones',
    [http(200, found(payment('authorized'), payment('authorized'))), http(200, payment('authorized'))],
    unknown('several_charges_in_force'),
  ],
  [
    'more than a page',
    [http(200, { paging: { total: 2 }, results: [payment('approved')] })],
    unknown('several_charges'),
  ],
  ['no page', [http(200, { results: [] })], unknown('answer_unexpected')],
  ['404', [http(404, error(2000))], unknown('answer_unexpected')],
];

/** Of a refund whose own id was heard. */
const REFUND_LOOKUP_ROWS: Rows = [
  ['approved', [http(200, refund('approved'))], { kind: 'refunded', reference: '99' }],
  ['in_process', [http(200, refund('in_process'))], { kind: 'pending', reference: '99' }],
  ['rejected', [http(200, refund('rejected'))], { kind: 'refused', code: 'refund_rejected', reference: '99' }],
  ['canceled', [http(200, refund('canceled'))], { kind: 'refused', code: 'refund_cancelled', reference: '99' }],
  ['authorized', [http(200, refund('authorized'))], unknown('answer_unexpected')],
  ['of another amount', [http(200, refund('approved', { amount: 1 }))], unknown('answer_mismatch')],
  ['another one', [http(200, refund('approved', { id: 98 }))], unknown('answer_mismatch')],
  ['404 of a refund that was heard of', [http(404, error(2032))], unknown('http_404')],
  ['404 of its payment', [http(404, error(2000))], unknown('charge_not_found')],
];

type Operation = 'authorize' | 'capture' | 'void' | 'refund' | 'lookup' | 'search' | 'lookupRefund';

async function ask(
  operation: Operation,
  ...replies: readonly [() => Reply, ...(() => Reply)[]]
): Promise<ProviderAnswer> {
  const fetcher = replying(...(replies as [() => Reply]));
  const access = { accessToken: 'a', webhookSecret: 'w', currency: 'BRL' };
  const provider = new MercadoPagoAdapter({ ...access, fetcher, timeoutMs: 50 });
  const { chargeReference: _reference, ...unheard } = CHARGE;
  switch (operation) {
    case 'authorize':
      return await provider.authorize(AUTHORIZE);
    case 'lookup':
      return await provider.lookup(CHARGE);
    case 'lookupRefund':
      return await provider.lookup({ ...CHARGE, refundKey: 'ref_1.r.mercado-pago', refundReference: '99' });
    case 'search':
      return await provider.lookup(unheard);
    default:
      return await provider[operation](CHARGE);
  }
}

const OPERATIONS = ['authorize', 'capture', 'void', 'refund', 'lookup', 'search', 'lookupRefund'] as const;
const TABLES: Readonly<Record<Operation, Rows>> = {
  authorize: AUTHORIZE_ROWS,
  capture: CAPTURE_ROWS,
  void: VOID_ROWS,
  refund: REFUND_ROWS,
  lookup: LOOKUP_ROWS,
  search: SEARCH_ROWS,
  lookupRefund: REFUND_LOOKUP_ROWS,
};

describe.each(OPERATIONS)('no answer to %s', (operation) => {
  it.each([...NO_ANSWER, ...MERCADO_PAGO_NO_ANSWER])('%s is read as the table says', async (_says, reply, expected) => {
    expect(await ask(operation, reply)).toEqual(expected);
  });
});

describe.each(OPERATIONS)('an answer to %s', (operation) => {
  it.each(TABLES[operation])('%s is read as the table says', async (_says, replies, expected) => {
    expect(await ask(operation, ...replies)).toEqual(expected);
  });
});

it('no card number and no text of Mercado Pago\u2019s leaves the adapter', async () => {
  const replies = [...NO_ANSWER, ...MERCADO_PAGO_NO_ANSWER].map(([, reply]) => [reply] as const);
  const rows = OPERATIONS.flatMap((operation) => TABLES[operation].map(([, said]) => said));
  for (const said of [...replies, ...rows]) {
    for (const operation of OPERATIONS) {
      const text = JSON.stringify(await ask(operation, ...said));
      expect(text).not.toContain('4242');
      expect(text).not.toContain('no ');
    }
  }
});
