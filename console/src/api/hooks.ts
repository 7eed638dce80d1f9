/** What views read: one answer, read again on demand or as time passes, or the pages of a list, one after the other. */
import { useCallback, useEffect, useState } from 'react';
import { ApiError, api, pathOf } from './client.ts';
import type { List } from './types.ts';

export interface Loaded<Body> {
  readonly data: Body | null;
  readonly error: ApiError | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/** @param path null: nothing is asked for. @param pollMs asked again so long after each answer. */
export function useApi<Body>(path: string | null, pollMs?: number): Loaded<Body> {
  const [state, setState] = useState<{ path: string | null; data: Body | null; error: ApiError | null }>({
    path: null,
    data: null,
    error: null,
  });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another round is another request for the same.
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const data = await api<Body>(path, { signal: abort.signal });
        if (abort.signal.aborted) return;
        setState({ path, data, error: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        // What was read before stays to be seen, with the error above it.
        setState((before) => ({ path, data: before.path === path ? before.data : null, error: asApiError(error) }));
      }
      if (pollMs !== undefined) timer = setTimeout(again, pollMs);
    };
    // Nobody looks: nothing is asked.
    const again = (): void => {
      if (document.hidden) timer = setTimeout(again, pollMs);
      else void ask();
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, pollMs, round]);
  const isOfPath = state.path === path;
  const data = isOfPath ? state.data : null;
  const error = isOfPath ? state.error : null;
  return { data, error, isLoading: path !== null && data === null && error === null, reload };
}

export interface Pages<Item> extends Omit<Loaded<unknown>, 'data'> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
  readonly isLoadingMore: boolean;
  readonly more: () => void;
}

interface PagesState<Item> {
  readonly path: string;
  readonly items: readonly Item[];
  readonly next: string | null;
  readonly error: ApiError | null;
  readonly isLoading: boolean;
}

/** A list from its first page on; `path` has no cursor. */
export function usePages<Item>(path: string): Pages<Item> {
  const empty: PagesState<Item> = { path, items: [], next: null, error: null, isLoading: true };
  const [state, setState] = useState(empty);
  const [asked, setAsked] = useState<{ path: string; cursor: string | null }>({ path, cursor: null });
  const [round, setRound] = useState(0);
  const cursor = asked.path === path ? asked.cursor : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another round is another request for the same.
  useEffect(() => {
    const abort = new AbortController();
    const ask = async (): Promise<void> => {
      const [base = '', query = ''] = path.split('?');
      const parameters = { ...Object.fromEntries(new URLSearchParams(query)), cursor };
      try {
        const page = await api<List<Item>>(pathOf(base, parameters), { signal: abort.signal });
        if (abort.signal.aborted) return;
        setState((before) => ({
          path,
          items: cursor === null ? page.data : [...before.items, ...page.data],
          next: page.next_cursor,
          error: null,
          isLoading: false,
        }));
      } catch (error) {
        if (abort.signal.aborted) return;
        setState((before) => ({
          ...(before.path === path ? before : empty),
          error: asApiError(error),
          isLoading: false,
        }));
      }
    };
    void ask();
    return () => abort.abort();
  }, [path, cursor, round]);
  const reload = useCallback(() => {
    setAsked({ path, cursor: null });
    setRound((before) => before + 1);
  }, [path]);
  const shown = state.path === path ? state : empty;
  // Another round: a page that could not be had is asked for again.
  const more = useCallback(() => {
    setState((before) => ({ ...before, error: null }));
    setAsked({ path, cursor: shown.next });
    setRound((before) => before + 1);
  }, [path, shown.next]);
  return {
    items: shown.items,
    error: shown.error,
    isLoading: shown.isLoading,
    isLoadingMore: cursor !== null && cursor === shown.next && shown.error === null,
    hasMore: shown.next !== null,
    reload,
    more,
  };
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new ApiError(0, 'timeout', 'The service did not answer in time.');
  }
  return new ApiError(0, 'unexpected', error instanceof Error ? error.message : String(error));
}
