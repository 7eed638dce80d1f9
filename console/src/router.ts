/**
 * Where in the console one is: the fragment of the address, `#/payments?status=FAILED`, so that a view can be linked to, and
 * the server serves one page. Called by the shell and by views whose filters are part of the address.
 */
import { useSyncExternalStore } from 'react';

export interface Location {
  /** `['payments', 'pay_…']` */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

export function useLocation(): Location {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return locationOf(hash);
}

/** The address of a view; members of the query that are empty are left out. */
export function addressOf(parts: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  const asked = Object.entries(query).filter(([, value]) => value !== '');
  const text = asked.length === 0 ? '' : `?${new URLSearchParams(asked)}`;
  return `#/${parts.map(encodeURIComponent).join('/')}${text}`;
}

export function go(address: string): void {
  window.location.hash = address;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}

function locationOf(hash: string): Location {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  return { parts: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A broken escape, typed by hand: taken as it is, and found nowhere.
    return part;
  }
}
