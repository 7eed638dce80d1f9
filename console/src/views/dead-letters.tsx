/** Dead letters: what died, by queue, type, owner and status; redriven together, or looked into one by one. */
import { Button } from '@cloudflare/kumo/components/button';
import { useState } from 'react';
import { api, pathOf } from '../api/client.ts';
import { usePages } from '../api/hooks.ts';
import type { DeadLetter, List, Redrive } from '../api/types.ts';
import { type Column, PagedTable } from '../components/data-table.tsx';
import { type Filter, FilterForm, filtersOf } from '../components/filter-form.tsx';
import { type Operation, OperatorDialog } from '../components/operator-dialog.tsx';
import { Page, Section } from '../components/page.tsx';
import { Status, When } from '../components/values.tsx';
import { counted, redriveText } from '../format.ts';
import { addressOf } from '../router.ts';

const STATUSES = [
  ['', 'Any'],
  ['present', 'Present'],
  ['redriven', 'Redriven'],
  ['discarded', 'Discarded'],
] as const;
const QUEUES = [
  ['', 'Any'],
  ...['wallet-commands', 'gateway-commands', 'notifications', 'payment-events'].map((name) => [name, name] as const),
] as const;
const FILTERS: readonly Filter[] = [
  { name: 'status', label: 'Status', options: STATUSES },
  { name: 'queue', label: 'Queue', options: QUEUES },
  { name: 'message_type', label: 'Message type' },
  { name: 'entity_id', label: 'Payment, refund or endpoint' },
];
/** As many as one request takes. */
const REDRIVEN_AT_ONCE_MAX = 100;

export function DeadLettersView({ query }: { query: URLSearchParams }) {
  const of = filtersOf(FILTERS, query);
  const pages = usePages<DeadLetter>(pathOf('/ops/dead-letters', { ...of, limit: 25 }));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [operation, setOperation] = useState<Operation | null>(null);
  const present = pages.items.filter(({ status }) => status === 'present').map(({ id }) => id);
  const ids = present.filter((id) => chosen.has(id)).slice(0, REDRIVEN_AT_ONCE_MAX);
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const close = (hasChanged: boolean): void => {
    setOperation(null);
    if (!hasChanged) return;
    setChosen(new Set());
    pages.reload();
  };
  const columns: readonly Column<DeadLetter>[] = [
    {
      name: 'Choose',
      cell: ({ id, status }) =>
        status === 'present' && (
          <input type="checkbox" aria-label={`Choose ${id}`} checked={chosen.has(id)} onChange={() => toggle(id)} />
        ),
    },
    {
      name: 'Letter',
      cell: ({ id }) => (
        <a className="id" href={addressOf(['dead-letters', id])}>
          {id}
        </a>
      ),
    },
    { name: 'Died', cell: ({ died_at }) => <When at={died_at} /> },
    { name: 'Queue', cell: ({ queue }) => queue },
    { name: 'Message', cell: ({ message_type }) => <span className="mono">{message_type ?? 'unreadable'}</span> },
    { name: 'Why', cell: ({ reason }) => reason },
    { name: 'Status', cell: ({ status }) => <Status value={status} /> },
    { name: 'Deaths', isNumber: true, cell: ({ death_count }) => death_count },
    { name: 'Redrives', isNumber: true, cell: ({ redrive_count }) => redrive_count },
  ];
  return (
    <Page title="Dead letters" actions={<Button onClick={pages.reload}>Refresh</Button>}>
      <Section
        title="Letters"
        actions={
          <>
            <Button disabled={present.length === 0} onClick={() => setChosen(new Set(present))}>
              Choose all shown
            </Button>
            <Button variant="primary" disabled={ids.length === 0} onClick={() => setOperation(redriveMany(ids))}>
              Redrive {ids.length} chosen…
            </Button>
          </>
        }
      >
        <FilterForm view="dead-letters" filters={FILTERS} values={of} />
        <PagedTable
          label="Dead letters"
          what="dead letters"
          columns={columns}
          keyOf={({ id }) => id}
          pages={pages}
          whenEmpty="Nothing that fits these filters has died."
        />
      </Section>
      <OperatorDialog operation={operation} onClose={close} />
    </Page>
  );
}

function redriveMany(ids: readonly string[]): Operation {
  return {
    title: `Redrive ${counted(ids.length, 'dead letter')}`,
    description: 'Each owner is asked to send again what it still waits for. A redrive twice is a redrive once.',
    verb: 'Redrive',
    run: async (word) => {
      const { data } = await api<List<Redrive>>('/ops/dead-letters/redrive', {
        method: 'POST',
        body: { ...word, ids },
      });
      const results = Map.groupBy(data, redriveText);
      return [...results].map(([result, rows]) => `${rows.length} ${result}`).join(', ');
    },
  };
}
