/** Sagas that need a person, or that stand still; each leads to its payment or refund, where the moves are. */
import { Button } from '@cloudflare/kumo/components/button';
import { pathOf } from '../api/client.ts';
import { usePages } from '../api/hooks.ts';
import type { SagaRow } from '../api/types.ts';
import { type Column, PagedTable } from '../components/data-table.tsx';
import { SelectField } from '../components/fields.tsx';
import { Page, Section } from '../components/page.tsx';
import { Status, When } from '../components/values.tsx';
import { words } from '../format.ts';
import { addressOf, go } from '../router.ts';

const KINDS = [
  ['', 'Both'],
  ['payment', 'Payments'],
  ['refund', 'Refunds'],
] as const;

const COLUMNS: readonly Column<SagaRow>[] = [
  {
    name: 'Saga',
    cell: ({ id, kind }) => (
      <a className="id" href={addressOf([`${kind}s`, id])}>
        {id}
      </a>
    ),
  },
  { name: 'Kind', cell: ({ kind }) => kind },
  { name: 'Why', cell: ({ attention, stuck }) => <Why attention={attention} isStuck={stuck} /> },
  { name: 'Status', cell: ({ status }) => <Status value={status} /> },
  { name: 'State', cell: ({ saga_state }) => words(saga_state) },
  { name: 'Last heard of', cell: ({ updated_at }) => <When at={updated_at} /> },
  { name: 'Next look-up', cell: ({ next_check_at }) => (next_check_at === null ? '' : <When at={next_check_at} />) },
];

export function SagasView({ query }: { query: URLSearchParams }) {
  const kind = query.get('kind') ?? '';
  const pages = usePages<SagaRow>(pathOf('/ops/sagas', { kind, limit: 25 }));
  return (
    <Page title="Stuck sagas" actions={<Button onClick={pages.reload}>Refresh</Button>}>
      <Section title="Whoever has not been heard of for longest first">
        <div className="filters">
          <SelectField
            label="Kind"
            value={kind}
            options={KINDS}
            onChange={(value) => go(addressOf(['sagas'], { kind: value }))}
          />
        </div>
        <PagedTable
          label="Stuck sagas"
          what="stuck sagas"
          columns={COLUMNS}
          keyOf={({ id }) => id}
          pages={pages}
          whenEmpty="No saga waits for a person, and none stands still."
        />
      </Section>
    </Page>
  );
}

function Why({ attention, isStuck }: { attention: string | null; isStuck: boolean }) {
  if (attention !== null) return <Status value="needs_attention" />;
  return isStuck ? <Status value="stuck" /> : null;
}
