/** Asks for an API key, when the API answered 401 or 403; says what was wrong with the one before. */
import { Banner } from '@cloudflare/kumo/components/banner';
import { Button } from '@cloudflare/kumo/components/button';
import type { FormEvent } from 'react';
import { type ApiError, storedKey } from './api/client.ts';
import { TextField } from './components/fields.tsx';
import { Page } from './components/page.tsx';

function explanation({ status, message }: ApiError): string {
  if (status === 403) return `This key may not do that: it needs the scope ops. ${message}`;
  if (storedKey() === null) return 'This deployment asks who is calling.';
  return `This key is not known, has been revoked, or has expired. ${message}`;
}

export function KeyForm({ refusal, onKey }: { refusal: ApiError; onKey: (key: string) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    onKey(String(new FormData(event.currentTarget).get('key')).trim());
  };
  return (
    <Page title="API key">
      <div role="alert">
        <Banner variant="alert" title={explanation(refusal)} />
      </div>
      <form className="card narrow" onSubmit={submit}>
        <TextField
          label="API key"
          name="key"
          type="password"
          required
          // Anything else cannot be sent in a header, and would be told as a service that is not there.
          pattern="\s*[\x21-\x7E]+\s*"
          title="Letters, digits and underscores, as the key was shown"
          description="One with the scope ops. It is kept in this tab until it is closed, and sent to this service only."
        />
        <div className="dialog-actions">
          <Button type="submit" variant="primary">
            Use key
          </Button>
        </div>
      </form>
    </Page>
  );
}
