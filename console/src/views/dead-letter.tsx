/** One dead letter: what it carried, how its owner stands, and what may become of it. */
import { Button } from '@cloudflare/kumo/components/button';
import { useState } from 'react';
import { api } from '../api/client.ts';
import { useApi } from '../api/hooks.ts';
import type { DeadLetterDetail, Redrive } from '../api/types.ts';
import { type Operation, OperatorDialog } from '../components/operator-dialog.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { Status, When } from '../components/values.tsx';
import { redriveText, words } from '../format.ts';
import { addressOf } from '../router.ts';

export function DeadLetterView({ id }: { id: string }) {
  const path = `/ops/dead-letters/${encodeURIComponent(id)}`;
  const letter = useApi<DeadLetterDetail>(path);
  const [operation, setOperation] = useState<Operation | null>(null);
  const close = (hasChanged: boolean): void => {
    setOperation(null);
    if (hasChanged) letter.reload();
  };
  return (
    <Page title="Dead letter">
      <Loadable what="dead letter" {...letter}>
        {letter.data !== null && (
          <>
            <Section
              title={letter.data.id}
              actions={
                letter.data.status === 'present' && (
                  <>
                    <Button variant="primary" onClick={() => setOperation(redrive(path))}>
                      Redrive…
                    </Button>
                    <Button variant="secondary-destructive" onClick={() => setOperation(discard(path))}>
                      Discard…
                    </Button>
                  </>
                )
              }
            >
              <LetterFacts letter={letter.data} />
            </Section>
            <Section title="Message">
              {letter.data.body === null && letter.data.message_type === 'publication' ? (
                <p>It is not kept: its owner makes it anew.</p>
              ) : (
                // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
                <pre className="json" tabIndex={0}>
                  {typeof letter.data.body === 'string' ? letter.data.body : JSON.stringify(letter.data.body, null, 2)}
                </pre>
              )}
            </Section>
          </>
        )}
      </Loadable>
      <OperatorDialog operation={operation} onClose={close} />
    </Page>
  );
}

function LetterFacts({ letter }: { letter: DeadLetterDetail }) {
  const { owner, resolution } = letter;
  const awaits = owner === null ? null : owner.awaits === null ? 'it could not be asked' : owner.awaits ? 'yes' : 'no';
  return (
    <Facts
      facts={[
        ['Status', <Status key="status" value={letter.status} />],
        ['Died', <When key="died" at={letter.died_at} />],
        ['Deaths', letter.death_count],
        ['Died last', letter.death_count === 1 ? null : <When key="last" at={letter.last_died_at} />],
        ['Queue', letter.queue],
        ['Why', letter.reason],
        ['Message type', letter.message_type ?? 'unreadable'],
        ['Owner', letter.entity_id === null ? 'none' : <OwnerLink key="owner" id={letter.entity_id} />],
        ['Owner is', owner?.state === null || owner === null ? null : words(owner.state)],
        ['Owner still waits for it', awaits],
        ['Effect', letter.effect_id],
        ['Redrives tried', letter.redrive_count],
        ['Resolved', resolution === null ? null : <When key="resolved" at={resolution.at} />],
        ['By', resolution?.actor],
        ['Because', resolution?.reason],
        ['Outcome', resolution === null || resolution.outcome === null ? null : words(resolution.outcome)],
      ]}
    />
  );
}

function OwnerLink({ id }: { id: string }) {
  const view = id.startsWith('pay_') ? 'payments' : id.startsWith('ref_') ? 'refunds' : null;
  if (view === null) return <span className="mono">{id}</span>;
  return (
    <a className="id" href={addressOf([view, id])}>
      {id}
    </a>
  );
}

function redrive(path: string): Operation {
  return {
    title: 'Redrive the dead letter',
    description: 'Its owner is asked to send again what it still waits for. A redrive twice is a redrive once.',
    verb: 'Redrive',
    run: async (word) => {
      return redriveText(await api<Redrive>(`${path}/redrive`, { method: 'POST', body: word }));
    },
  };
}

function discard(path: string): Operation {
  return {
    title: 'Discard the dead letter',
    description: 'Nothing is to come of it. A saga that waits for what it carried goes on waiting, and sends it again.',
    verb: 'Discard',
    isDangerous: true,
    run: async (word) => {
      const { status } = await api<DeadLetterDetail>(`${path}/discard`, { method: 'POST', body: word });
      return `The letter is ${status}.`;
    },
  };
}
