/** The directory of wallets, by id. */
import { Button } from '@cloudflare/kumo/components/button';
import { pathOf } from '../api/client.ts';
import { usePages } from '../api/hooks.ts';
import type { WalletRow } from '../api/types.ts';
import { type Column, PagedTable } from '../components/data-table.tsx';
import { type Filter, FilterForm, filtersOf } from '../components/filter-form.tsx';
import { Page, Section } from '../components/page.tsx';
import { IdLink, When } from '../components/values.tsx';

const COLUMNS: readonly Column<WalletRow>[] = [
  { name: 'Wallet', cell: ({ id }) => <IdLink view="wallets" id={id} /> },
  { name: 'Currency', cell: ({ currency }) => currency },
  { name: 'Opened', cell: ({ created_at }) => <When at={created_at} /> },
];

const FILTERS: readonly Filter[] = [{ name: 'prefix', label: 'Id begins with' }];

export function WalletsView({ query }: { query: URLSearchParams }) {
  const of = filtersOf(FILTERS, query);
  const pages = usePages<WalletRow>(pathOf('/wallets', { ...of, limit: 50 }));
  return (
    <Page title="Wallets" actions={<Button onClick={pages.reload}>Refresh</Button>}>
      <Section title="Directory">
        <FilterForm view="wallets" filters={FILTERS} values={of} />
        <PagedTable label="Wallets" what="wallets" columns={COLUMNS} keyOf={({ id }) => id} pages={pages} />
      </Section>
    </Page>
  );
}
