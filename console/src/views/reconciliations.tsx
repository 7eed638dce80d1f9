/** Reports of reconciliations, newest first, and a form that begins one. */
import { Button } from '@cloudflare/kumo/components/button';
import { useState } from 'react';
import { api } from '../api/client.ts';
import { usePages } from '../api/hooks.ts';
import type { Reconciliation } from '../api/types.ts';
import { type Column, PagedTable } from '../components/data-table.tsx';
import { TextField } from '../components/fields.tsx';
import { type Operation, OperatorDialog } from '../components/operator-dialog.tsx';
import { Page, Section } from '../components/page.tsx';
import { Status, When } from '../components/values.tsx';
import { addressOf } from '../router.ts';

const COLUMNS: readonly Column<Reconciliation>[] = [
  {
    name: 'Report',
    cell: ({ id }) => (
      <a className="id" href={addressOf(['reconciliations', id])}>
        {id}
      </a>
    ),
  },
  { name: 'Begun', cell: ({ created_at }) => <When at={created_at} /> },
  { name: 'By', cell: ({ trigger, actor }) => actor ?? trigger },
  { name: 'Status', cell: ({ status }) => <Status value={status} /> },
  { name: 'From', cell: ({ from }) => <When at={from} /> },
  { name: 'To', cell: ({ to }) => <When at={to} /> },
  { name: 'Compared', isNumber: true, cell: ({ payments }) => payments.compared },
  { name: 'Differences', isNumber: true, cell: ({ differences }) => differences },
  { name: 'Complete', cell: ({ complete }) => (complete ? 'yes' : 'no') },
];

const BEGIN: Operation = {
  title: 'Begin a reconciliation',
  description:
    "Our record, the wallets' ledgers and the providers' books of the last day are compared. It changes nothing.",
  verb: 'Begin',
  fields: <TextField label="Provider (all, where empty)" name="provider" maxLength={64} />,
  run: async (word, form) => {
    const provider = String(form.get('provider')).trim();
    const body = { ...word, ...(provider !== '' && { provider }) };
    const { id } = await api<Reconciliation>('/ops/reconcile', { method: 'POST', body });
    return `It runs: ${id}`;
  },
};

export function ReconciliationsView() {
  const pages = usePages<Reconciliation>('/ops/reconciliations?limit=25');
  const [operation, setOperation] = useState<Operation | null>(null);
  const close = (hasChanged: boolean): void => {
    setOperation(null);
    if (hasChanged) pages.reload();
  };
  return (
    <Page
      title="Reconciliation"
      actions={
        <>
          <Button onClick={pages.reload}>Refresh</Button>
          <Button variant="primary" onClick={() => setOperation(BEGIN)}>
            Begin…
          </Button>
        </>
      }
    >
      <Section title="Reports">
        <PagedTable
          label="Reports"
          what="reports"
          columns={COLUMNS}
          keyOf={({ id }) => id}
          pages={pages}
          whenEmpty="One begins every night, and whenever you begin one."
        />
      </Section>
      <OperatorDialog operation={operation} onClose={close} />
    </Page>
  );
}
