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
  /** `changed`: something was done, or may have been, and what is shown may be old. */
  readonly onClose: (changed: boolean) => void;
}

export function OperatorDialog({ operation, onClose }: DialogProps) {
  // What was asked stays to be seen while the dialog fades.
  const [last, setLast] = useState(operation);
  // However it is closed then: what is shown may be old. So it is after an error too: an answer that was lost, of a change that was made.
  const [hasChanged, setHasChanged] = useState(false);
  // What is under way is not called off by closing, and what comes of it is to be seen.
  const [isRunning, setRunning] = useState(false);
  if (operation !== null && operation !== last) {
    setLast(operation);
    setHasChanged(false);
  }
  const close = (): void => {
    if (!isRunning) onClose(hasChanged);
  };
  const onRun = (runs: boolean): void => {
    setRunning(runs);
    setHasChanged(true);
  };
  return (
    <Dialog.Root open={operation !== null} onOpenChange={(open) => !open && close()}>
      <Dialog className="dialog">
        {last !== null && (
          <OperationForm key={last.title} operation={last} isRunning={isRunning} onRun={onRun} onClose={close} />
        )}
      </Dialog>
    </Dialog.Root>
  );
}

interface FormProps {
  readonly operation: Operation;
  readonly isRunning: boolean;
  /** It begins, or has come to an end. */
  readonly onRun: (runs: boolean) => void;
  readonly onClose: () => void;
}

function OperationForm({ operation, isRunning, onRun, onClose }: FormProps) {
  const { title, description, verb, isDangerous = false, fields, run } = operation;
  const [error, setError] = useState<ApiError | null>(null);
  const [result, setResult] = useState<string | null>(null);
  const [lastActor] = useState(() => sessionStorage.getItem(ACTOR_STORE) ?? '');

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const word = { actor: String(form.get('actor')).trim(), reason: String(form.get('reason')).trim() };
    sessionStorage.setItem(ACTOR_STORE, word.actor);
    onRun(true);
    setError(null);
    try {
      setResult(await run(word, form));
    } catch (thrown) {
      setError(asApiError(thrown));
    } finally {
      onRun(false);
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
          {error?.status === 0 && (
            <p>Whether it was done is not known. What is shown is read again when this is closed.</p>
          )}
          <div className="dialog-actions">
            <Button type="button" disabled={isRunning} onClick={onClose}>
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
            <Button type="button" variant="primary" autoFocus onClick={onClose}>
              Close
            </Button>
          </div>
        </>
      )}
    </form>
  );
}
