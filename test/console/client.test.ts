// What the console says of a request that brings no answer.
import { afterEach, expect, test, vi } from 'vitest';
import { api } from '../../console/src/api/client.ts';
import { asApiError } from '../../console/src/api/hooks.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** What becomes of a request, as the console says it. */
async function said(fetch: (path: string, init: RequestInit) => Promise<Response>) {
  vi.stubGlobal('sessionStorage', { getItem: () => null });
  vi.stubGlobal('fetch', fetch);
  const thrown = await api('/ops/overview').catch((error: unknown) => error);
  return asApiError(thrown);
}

test('one that was not answered in time may have been carried out: it is not said that the service was not reached', async () => {
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort(new DOMException('too late', 'TimeoutError')));
  const error = await said((_path, { signal }) => Promise.reject(signal?.reason));
  expect(error).toMatchObject({ status: 0, code: 'timeout', message: 'The service did not answer in time.' });
});

test('one that reached nobody says so', async () => {
  const error = await said(() => Promise.reject(new TypeError('Failed to fetch')));
  expect(error).toMatchObject({ status: 0, code: 'unreachable' });
});
