/** What a view shows while there is nothing to show: it loads, it failed, or there is nothing. */
import { Banner } from '@cloudflare/kumo/components/banner';
import { Button } from '@cloudflare/kumo/components/button';
import { Empty } from '@cloudflare/kumo/components/empty';
import { Loader } from '@cloudflare/kumo/components/loader';
import type { ReactNode } from 'react';
import type { ApiError } from '../api/client.ts';

export function Problem({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  return (
    <div role="alert">
      <Banner
        variant="error"
        title={error.message}
        description={error.requestId === null ? `(${error.code})` : `(${error.code}, request ${error.requestId})`}
        action={onRetry === undefined ? undefined : <Button onClick={onRetry}>Try again</Button>}
      />
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="loading" role="status">
      <Loader size="sm" aria-hidden="true" />
      Loading {what}…
    </p>
  );
}

interface StateProps {
  readonly what: string;
  readonly error: ApiError | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
  /** There is nothing: what to say. */
  readonly isEmpty?: boolean;
  readonly whenEmpty?: string;
  readonly children?: ReactNode;
}

/** The state that something loaded is in: above it its error, and its content when there is any. */
export function Loadable({ what, error, isLoading, reload, isEmpty = false, whenEmpty, children }: StateProps) {
  return (
    <>
      {error !== null && <Problem error={error} onRetry={reload} />}
      {isLoading && <Loading what={what} />}
      {!isLoading && isEmpty && error === null && (
        <Empty size="sm" title={`No ${what}`} {...(whenEmpty !== undefined && { description: whenEmpty })} />
      )}
      {!isLoading && !isEmpty && children}
    </>
  );
}
