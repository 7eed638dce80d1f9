/**
 * The dialog that every change goes through: what will be done, who does it and why, and then what came of it, or the
 * problem's own words. The component library keeps the focus inside, gives it back, and closes at Escape.
 */
import { Banner } from '@cloudflare/kumo/components/banner';
import { Button } from '@cloudflare/kumo/components/button';
import { Dialog } from '@cloudflare/kumo/components/dialog';
import { type FormEvent, type ReactNode, useState } from 'react';
import type { ApiError } from '../api/client.ts';
import { asApiError } from '../api/hooks.ts';
import { TextField } from './fields.tsx';
import { Problem } from './states.tsx';

const ACTOR_STORE = 'holdfast.actor';

/** Goes into the audit log. */
export interface OperatorWord {
  readonly actor: string;
  readonly reason: string;
}

export interface Operation {
  readonly title: string;
  readonly description: string;
  /** What the button says. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** Fields of its own, above actor and reason; read by `run` from the form. */
  readonly fields?: ReactNode;
  /** Makes the change, and answers what came of it. @throws ApiError */
  readonly run: (word: OperatorWord, form: FormData) => Promise<string>;
}

interface DialogProps {
  readonly operation: Operation | null;
  /** `changed`: something was done, and what is shown may be old. */
  readonly onClose: (changed: boolean) => void;
}

export function OperatorDialog({ operation, onClose }: DialogProps) {
  // What was asked stays to be seen while the dialog fades.
  const [last, setLast] = useState(operation);
  // However it is closed then: what is shown may be old.
  const [hasChanged, setHasChanged] = useState(false);
  if (operation !== null && operation !== last) {
    setLast(operation);
    setHasChanged(false);
  }
  return (
    <Dialog.Root open={operation !== null} onOpenChange={(open) => !open && onClose(hasChanged)}>
      <Dialog className="dialog">
        {last !== null && (
          <OperationForm key={last.title} operation={last} onChanged={() => setHasChanged(true)} onClose={onClose} />
        )}
      </Dialog>
    </Dialog.Root>
  );
}

interface FormProps {
  readonly operation: Operation;
  readonly onChanged: () => void;
  readonly onClose: (changed: boolean) => void;
}

function OperationForm({ operation, onChanged, onClose }: FormProps) {
  const { title, description, verb, isDangerous = false, fields, run } = operation;
  const [error, setError] = useState<ApiError | null>(null);
  const [result, setResult] = useState<string | null>(null);
  const [isRunning, setRunning] = useState(false);
  const [lastActor] = useState(() => sessionStorage.getItem(ACTOR_STORE) ?? '');

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const word = { actor: String(form.get('actor')).trim(), reason: String(form.get('reason')).trim() };
    sessionStorage.setItem(ACTOR_STORE, word.actor);
    setRunning(true);
    setError(null);
    try {
      setResult(await run(word, form));
      onChanged();
    } catch (thrown) {
      setError(asApiError(thrown));
    } finally {
      setRunning(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Dialog.Title className="dialog-title">{title}</Dialog.Title>
      <Dialog.Description className="subtle">{description}</Dialog.Description>
      {result === null ? (
        <>
          {fields}
          <TextField
            label="Actor"
            name="actor"
            required
            maxLength={64}
            pattern="[A-Za-z0-9_.:\-]+"
            title="Letters, digits, and - _ . :"
            defaultValue={lastActor}
            description="Who does it; for the audit log."
          />
          <TextField label="Reason" name="reason" required maxLength={128} description="Why; for the audit log." />
          {error !== null && <Problem error={error} />}
          <div className="dialog-actions">
            <Button type="button" onClick={() => onClose(false)}>
              Cancel
            </Button>
            <Button type="submit" variant={isDangerous ? 'destructive' : 'primary'} loading={isRunning}>
              {verb}
            </Button>
          </div>
        </>
      ) : (
        <>
          <div role="status">
            <Banner variant="default" title="Done" description={result} />
          </div>
          <div className="dialog-actions">
            <Button type="button" variant="primary" autoFocus onClick={() => onClose(true)}>
              Close
            </Button>
          </div>
        </>
      )}
    </form>
  );
}
