import { DurableObject } from 'cloudflare:workers';

export class PaymentSaga extends DurableObject<Env> {}
