/** The Worker under test: the real one, whose objects and consumers end where a saga's plan says (`plans.ts`). */
import worker from '../../../src/index.ts';
import { consumeWithCrashes } from './consumers.ts';

export * from '../../../src/index.ts';
export {
  CrashingPaymentSaga as PaymentSaga,
  CrashingRefundSaga as RefundSaga,
  CrashingWallet as Wallet,
} from './objects.ts';

export default { ...worker, queue: consumeWithCrashes } satisfies ExportedHandler<Env>;
