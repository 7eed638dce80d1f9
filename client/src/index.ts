/** The client of Holdfast: what a user imports. docs/client.md; decision 0074. */
export { HoldfastError, type HoldfastFailure, isHoldfastError } from './errors.ts';
export type * from './generated.ts';
export { Holdfast, type HoldfastOptions } from './holdfast.ts';
export type { RetryPolicy } from './retry.ts';
export type { CallOptions, PayOptions } from './transport.ts';
