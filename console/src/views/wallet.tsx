/** One wallet: balances and open holds in one snapshot, its ledger, and its payments. */
import { Button } from '@cloudflare/kumo/components/button';
import { useState } from 'react';
import { api, pathOf } from '../api/client.ts';
import { useApi, usePages } from '../api/hooks.ts';
import type { EntryView, PaymentView, WalletView as Wallet } from '../api/types.ts';
import { type Column, DataTable, PagedTable } from '../components/data-table.tsx';
import { type Operation, OperatorDialog, type OperatorWord } from '../components/operator-dialog.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { IdLink, Money, When } from '../components/values.tsx';
import { moneyText, words } from '../format.ts';
import { PAYMENT_COLUMNS } from './payments.tsx';

export function WalletView({ id }: { id: string }) {
  const path = `/wallets/${encodeURIComponent(id)}`;
  const wallet = useApi<Wallet>(path);
  const entries = usePages<EntryView>(`${path}/entries?limit=25`);
  const payments = usePages<PaymentView>(pathOf('/payments', { wallet_id: id, limit: 10 }));
  const [operation, setOperation] = useState<Operation | null>(null);
  const refresh = (): void => {
    wallet.reload();
    entries.reload();
    payments.reload();
  };
  const close = (hasChanged: boolean): void => {
    setOperation(null);
    if (hasChanged) refresh();
  };
  const currency = wallet.data?.currency ?? '';
  return (
    <Page title="Wallet" actions={<Button onClick={refresh}>Refresh</Button>}>
      <Loadable what="wallet" {...wallet}>
        {wallet.data !== null && (
          <>
            <Section
              title={wallet.data.id}
              actions={
                wallet.data.frozen ? (
                  <Button onClick={() => setOperation(unfreeze(id))}>Unfreeze…</Button>
                ) : (
                  <Button variant="secondary-destructive" onClick={() => setOperation(freeze(id))}>
                    Freeze…
                  </Button>
                )
              }
            >
              <Balances wallet={wallet.data} />
            </Section>
            <Section title="Open holds">
              <Holds wallet={wallet.data} />
            </Section>
            <Section title="Ledger">
              <PagedTable
                label="Ledger"
                what="entries"
                columns={entryColumns(currency)}
                keyOf={({ sequence }) => String(sequence)}
                pages={entries}
              />
            </Section>
            <Section title="Payments">
              <PagedTable
                label="Payments of this wallet"
                what="payments"
                columns={PAYMENT_COLUMNS}
                keyOf={(payment) => payment.id}
                pages={payments}
              />
            </Section>
          </>
        )}
      </Loadable>
      <OperatorDialog operation={operation} onClose={close} />
    </Page>
  );
}

function freeze(id: string): Operation {
  return {
    title: `Freeze the wallet ${id}`,
    description:
      'It takes no new payment and no deposit. What has begun ends: debits, releases and refunds are carried out.',
    verb: 'Freeze',
    isDangerous: true,
    run: (word) => say(id, 'freeze', word),
  };
}

function unfreeze(id: string): Operation {
  return {
    title: `Unfreeze the wallet ${id}`,
    description: 'It takes payments and deposits again. What was refused meanwhile stays refused.',
    verb: 'Unfreeze',
    run: (word) => say(id, 'unfreeze', word),
  };
}

async function say(id: string, verb: string, body: OperatorWord): Promise<string> {
  const { frozen } = await api<Wallet>(`/ops/wallets/${encodeURIComponent(id)}/${verb}`, { method: 'POST', body });
  return `The wallet is ${frozen ? 'frozen' : 'not frozen'}.`;
}

function Balances({ wallet }: { wallet: Wallet }) {
  const { currency } = wallet;
  return (
    <Facts
      facts={[
        ['Available', <Money key="available" amount={wallet.available} currency={currency} />],
        ['Held', <Money key="held" amount={wallet.held} currency={currency} />],
        ['Settled', <Money key="settled" amount={wallet.settled} currency={currency} />],
        ['Came in', <Money key="external" amount={wallet.external} currency={currency} />],
        ['Frozen', wallet.frozen ? 'yes' : 'no'],
        ['Version', wallet.version],
        ['Opened', <When key="opened" at={wallet.created_at} />],
      ]}
    />
  );
}

function Holds({ wallet }: { wallet: Wallet }) {
  type Hold = Wallet['holds'][number];
  if (wallet.holds.length === 0) return <p className="subtle">None.</p>;
  const columns: readonly Column<Hold>[] = [
    { name: 'Payment', cell: ({ payment_id }) => <IdLink view="payments" id={payment_id} /> },
    { name: 'Amount', isNumber: true, cell: ({ amount }) => <Money amount={amount} currency={wallet.currency} /> },
    { name: 'Expires', cell: ({ expires_at }) => <When at={expires_at} /> },
  ];
  return (
    <>
      <DataTable label="Open holds" columns={columns} items={wallet.holds} keyOf={({ payment_id }) => payment_id} />
      {wallet.holds_total > wallet.holds.length && <p className="subtle">The oldest of {wallet.holds_total}.</p>}
    </>
  );
}

function entryColumns(currency: string): readonly Column<EntryView>[] {
  return [
    { name: 'Entry', isNumber: true, cell: ({ sequence }) => sequence },
    { name: 'At', cell: ({ created_at }) => <When at={created_at} /> },
    { name: 'Type', cell: ({ type }) => words(type) },
    {
      name: 'Postings',
      cell: ({ postings }) =>
        postings.map(({ account, amount }) => (
          <div key={account} className="nowrap">
            {account} {amount > 0 ? '+' : ''}
            {moneyText(amount, currency)}
          </div>
        )),
    },
    {
      name: 'Available after',
      isNumber: true,
      cell: ({ balances }) => <Money amount={balances.available} currency={currency} />,
    },
    {
      name: 'Held after',
      isNumber: true,
      cell: ({ balances }) => <Money amount={balances.held} currency={currency} />,
    },
    {
      name: 'Payment',
      cell: ({ payment_id }) => (payment_id === undefined ? '' : <IdLink view="payments" id={payment_id} />),
    },
    { name: 'Reference', cell: ({ reference }) => reference ?? '' },
  ];
}
