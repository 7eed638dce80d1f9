/** Why a saga needs a person, and the moves that its reason takes: retry, or state what is true. */
import { Banner } from '@cloudflare/kumo/components/banner';
import { Button } from '@cloudflare/kumo/components/button';
import { useEffect, useState } from 'react';
import { api } from '../api/client.ts';
import { type Loaded, useApi } from '../api/hooks.ts';
import type { Move, Saga, SagaCommand } from '../api/types.ts';
import { TextField } from '../components/fields.tsx';
import { type Operation, OperatorDialog } from '../components/operator-dialog.tsx';
import { Facts, Section } from '../components/page.tsx';
import { Problem } from '../components/states.tsx';
import { counted, words } from '../format.ts';

/** While a command has no answer it is sent again, which is no event: nothing else tells of that. */
const POLL_MS = 5_000;

/** @param version changes when the saga has moved. */
export function useSaga(id: string, version: string | undefined): Loaded<Saga> {
  const path = `/ops/sagas/${encodeURIComponent(id)}`;
  const [waits, setWaits] = useState(false);
  const loaded = useApi<Saga>(path, waits ? POLL_MS : undefined);
  const { data, reload } = loaded;
  const isWaiting = data !== null && data.pending.length > 0;
  if (data !== null && isWaiting !== waits) setWaits(isWaiting);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version is why it is read again.
  useEffect(reload, [version]);
  return loaded;
}

interface MovesProps {
  readonly id: string;
  readonly saga: Loaded<Saga>;
  readonly onMoved: () => void;
}

export function SagaMoves({ id, saga: { data: saga, error, reload }, onMoved }: MovesProps) {
  const path = `/ops/sagas/${encodeURIComponent(id)}`;
  const [operation, setOperation] = useState<Operation | null>(null);
  const close = (hasChanged: boolean): void => {
    setOperation(null);
    if (!hasChanged) return;
    reload();
    onMoved();
  };
  // One that is past its retention takes no moves, and of one that is not there its view says so.
  const problem = error === null || error.status === 404 ? null : <Problem error={error} onRetry={reload} />;
  if (saga === null) return problem;
  const { attention } = saga;
  return (
    <>
      {problem}
      {attention !== null && (
        <Section title="A person is needed">
          <Banner variant="alert" title={words(attention.reason)} description={attention.says} />
          <div className="actions">
            {attention.moves.retry && <Button onClick={() => setOperation(retry(path))}>Retry…</Button>}
            {attention.moves.resolve.map((resolution) => (
              <Button key={resolution} onClick={() => setOperation(resolve(path, resolution))}>
                Resolve: {words(resolution)}…
              </Button>
            ))}
          </div>
        </Section>
      )}
      {(saga.pending.length > 0 || saga.given_up.length > 0) && (
        <Section title="Commands">
          <Facts facts={[...commandsOf(saga.pending, 'Waits for'), ...commandsOf(saga.given_up, 'Gave up')]} />
        </Section>
      )}
      <OperatorDialog operation={operation} onClose={close} />
    </>
  );
}

function commandsOf(commands: readonly SagaCommand[], verb: string): (readonly [string, string])[] {
  return commands.map(({ command, attempts }) => [
    `${verb} ${words(command)}`,
    attempts === 0 ? 'not sent yet' : `sent ${counted(attempts, 'time')}`,
  ]);
}

function retry(path: string): Operation {
  return {
    title: 'Retry the saga',
    description: 'What it gave up, or was refused, is tried again, by its own rules.',
    verb: 'Retry',
    run: async (word) => outcomeOf(await api<Move>(`${path}/retry`, { method: 'POST', body: word })),
  };
}

function resolve(path: string, resolution: string): Operation {
  return {
    title: `Resolve the saga: ${words(resolution)}`,
    description: 'You state what is true, and the saga goes on from there. What each means is in the runbook.',
    verb: 'Resolve',
    isDangerous: true,
    fields: <TextField label="Provider reference (optional)" name="provider_reference" maxLength={128} />,
    run: async (word, form) => {
      const reference = String(form.get('provider_reference')).trim();
      const body = { ...word, resolution, ...(reference !== '' && { provider_reference: reference }) };
      return outcomeOf(await api<Move>(`${path}/resolve`, { method: 'POST', body }));
    },
  };
}

function outcomeOf({ repeated, saga, ledger_effect: ledger }: Move): string {
  const entries = ledger.entries.map(({ type }) => type).join(', ');
  const effect = { entries: `Ledger: ${entries}.`, none: 'No ledger entry.', pending: 'It has not come to rest yet.' };
  const told = effect[ledger.status as keyof typeof effect] ?? '';
  return `${repeated ? 'This move had been made before. ' : ''}The saga is ${words(saga.saga_state)}. ${told}`;
}
