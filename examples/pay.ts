/**
 * The client, used: a payment that completes, the same sent again, one that is declined, and what a mistake looks like. Run it beside `npm run dev`:
 * `npm run example:client`, with HOLDFAST_URL and HOLDFAST_API_KEY for another address.
 */
import { Holdfast, isHoldfastError } from '../client/src/index.ts';

const apiKey = process.env.HOLDFAST_API_KEY;
const holdfast = new Holdfast({
  baseUrl: process.env.HOLDFAST_URL ?? 'http://localhost:8080',
  ...(apiKey !== undefined && { apiKey }),
});

// The key belongs to what is paid for: kept with the order, a crash of this program is a retry too.
const order = { id: `order-${Date.now()}`, total: 1230 };
const request = {
  wallet_id: 'wal-1234',
  service_id: 'abc-1234',
  amount: order.total,
  currency: 'USD',
  method: 'balance' as const,
  reference: order.id,
};

const payment = await holdfast.payments.create(request, { idempotencyKey: order.id });
console.log(`created   ${payment.status}`);
for await (const { event_type: type } of holdfast.payments.events(payment.id)) {
  if (/^(wallet|payment|payment_gateway)\./.test(type)) console.log(`          ${type}`);
}
const ended = await holdfast.payments.ended(payment.id);
console.log(`ended     ${ended.status}`);

const again = await holdfast.payments.create(request, { idempotencyKey: order.id });
console.log(`again     ${again.id === payment.id ? 'the same payment' : 'ANOTHER PAYMENT'}`);

const declined = await holdfast.payments.create(
  { ...request, token: 'pm_card_visa_chargeDeclined' },
  { waitSeconds: 10 },
);
console.log(`declined  ${declined.status} ${declined.failure?.code}`);

try {
  await holdfast.payments.create({ ...request, amount: 1 }, { idempotencyKey: order.id });
} catch (error) {
  if (!isHoldfastError(error) || error.failure.kind !== 'problem') throw error;
  switch (error.failure.problem.code) {
    case 'idempotency_key_reused':
      console.log('mistake   the key was used for something else');
      break;
    default:
      throw error;
  }
}
