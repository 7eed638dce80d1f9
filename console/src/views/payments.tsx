/** Payments, newest first: found by id, or by wallet, status, reference and time; the filters are in the address. */
import { Button } from '@cloudflare/kumo/components/button';
import type { FormEvent } from 'react';
import { pathOf } from '../api/client.ts';
import { usePages } from '../api/hooks.ts';
import type { PaymentView } from '../api/types.ts';
import { type Column, PagedTable } from '../components/data-table.tsx';
import { TextField } from '../components/fields.tsx';
import { type Filter, FilterForm, filtersOf } from '../components/filter-form.tsx';
import { Page, Section } from '../components/page.tsx';
import { IdLink, Money, Status, When } from '../components/values.tsx';
import { words } from '../format.ts';
import { addressOf, go } from '../router.ts';

export const PAYMENT_COLUMNS: readonly Column<PaymentView>[] = [
  { name: 'Payment', cell: ({ id }) => <IdLink view="payments" id={id} /> },
  { name: 'Made', cell: ({ created_at }) => <When at={created_at} /> },
  { name: 'Amount', isNumber: true, cell: ({ amount, currency }) => <Money amount={amount} currency={currency} /> },
  { name: 'Status', cell: ({ status }) => <Status value={status} /> },
  { name: 'State', cell: ({ saga_state }) => words(saga_state) },
  { name: 'Wallet', cell: ({ wallet_id }) => <IdLink view="wallets" id={wallet_id} /> },
  { name: 'Provider', cell: ({ provider }) => provider ?? '' },
  { name: 'Reference', cell: ({ reference }) => reference ?? '' },
  { name: 'Failure', cell: ({ failure }) => (failure === undefined ? '' : words(failure.code)) },
];

const STATUSES = [
  ['', 'Any'],
  ['PENDING', 'Pending'],
  ['COMPLETED', 'Completed'],
  ['FAILED', 'Failed'],
] as const;

const FILTERS: readonly Filter[] = [
  { name: 'wallet_id', label: 'Wallet' },
  { name: 'reference', label: 'Reference' },
  { name: 'status', label: 'Status', options: STATUSES },
  { name: 'from', label: 'Made from', type: 'datetime-local' },
  { name: 'to', label: 'Made before', type: 'datetime-local' },
];

export function PaymentsView({ query }: { query: URLSearchParams }) {
  const of = filtersOf(FILTERS, query);
  const path = pathOf('/payments', {
    wallet_id: of.wallet_id,
    reference: of.reference,
    status: of.status,
    created_from: instantOf(of.from),
    created_to: instantOf(of.to),
    limit: 25,
  });
  const pages = usePages<PaymentView>(path);
  return (
    <Page title="Payments" actions={<Button onClick={pages.reload}>Refresh</Button>}>
      <Section title="Find one by its id">
        <FindById />
      </Section>
      <Section title="Search">
        <FilterForm view="payments" filters={FILTERS} values={of} />
        <PagedTable
          label="Payments"
          what="payments"
          columns={PAYMENT_COLUMNS}
          keyOf={({ id }) => id}
          pages={pages}
          whenEmpty="None fits these filters. The record may be a second behind."
        />
      </Section>
    </Page>
  );
}

function FindById() {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const id = String(new FormData(event.currentTarget).get('id')).trim();
    go(addressOf([id.startsWith('ref_') ? 'refunds' : 'payments', id]));
  };
  return (
    <form className="filters" onSubmit={submit}>
      <TextField
        label="Payment or refund id"
        name="id"
        required
        pattern="\s*(pay|ref)_[0-9A-Za-z]+\s*"
        title="pay_… or ref_…"
      />
      <Button type="submit">Open</Button>
    </form>
  );
}

/** A local time of a form as the API takes it; what is no time is left out. */
function instantOf(local: string | undefined): string | undefined {
  const atMs = Date.parse(local ?? '');
  return Number.isNaN(atMs) ? undefined : new Date(atMs).toISOString();
}
