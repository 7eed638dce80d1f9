/** One payment: its timeline as a picture and as a table, both live; what a person may do; its refunds. */
import { useApi, usePages } from '../api/hooks.ts';
import type { PaymentView as Payment, RefundView as Refund, Saga } from '../api/types.ts';
import { type Column, PagedTable } from '../components/data-table.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { IdLink, Money, Status, When } from '../components/values.tsx';
import { words } from '../format.ts';
import { addressOf } from '../router.ts';
import { LiveTimeline } from './live-timeline.tsx';
import { SagaMoves, useSaga } from './saga-moves.tsx';

const REFUND_COLUMNS: readonly Column<Refund>[] = [
  {
    name: 'Refund',
    cell: ({ id }) => (
      <a className="id" href={addressOf(['refunds', id])}>
        {id}
      </a>
    ),
  },
  { name: 'Made', cell: ({ created_at }) => <When at={created_at} /> },
  { name: 'Amount', isNumber: true, cell: ({ amount, currency }) => <Money amount={amount} currency={currency} /> },
  { name: 'Status', cell: ({ status }) => <Status value={status} /> },
  { name: 'State', cell: ({ saga_state }) => words(saga_state) },
];

export function PaymentView({ id }: { id: string }) {
  const payment = useApi<Payment>(`/payments/${encodeURIComponent(id)}`);
  const saga = useSaga(id, payment.data?.updated_at);
  const refunds = usePages<Refund>(`/refunds?payment_id=${encodeURIComponent(id)}`);
  // A key may see sagas, and no payments: what its payment is, the saga says too.
  const shown = payment.data ?? saga.data?.payment ?? null;
  const reload = (): void => {
    payment.reload();
    refunds.reload();
  };
  return (
    <Page title="Payment">
      <Loadable what="payment" {...payment}>
        {shown !== null && (
          <>
            <Section title={shown.id}>
              <PaymentFacts payment={shown} />
            </Section>
            <SagaMoves id={id} saga={saga} onMoved={reload} />
          </>
        )}
        {payment.data !== null && (
          <>
            <LiveTimeline
              path={`/payments/${encodeURIComponent(id)}/events`}
              noun="payment"
              upTo={saga.data?.sequence ?? 0}
              onChange={payment.reload}
            />
            <Section title="Refunds">
              <PagedTable
                label="Refunds"
                what="refunds"
                columns={REFUND_COLUMNS}
                keyOf={(refund) => refund.id}
                pages={refunds}
              />
            </Section>
          </>
        )}
      </Loadable>
    </Page>
  );
}

function PaymentFacts({ payment }: { payment: NonNullable<Saga['payment']> }) {
  const { failure } = payment;
  return (
    <Facts
      facts={[
        ['Status', <Status key="status" value={payment.status} />],
        ['State', words(payment.saga_state)],
        ['Amount', <Money key="amount" amount={payment.amount} currency={payment.currency} />],
        ['Refunded', <Money key="refunded" amount={payment.refunded_amount} currency={payment.currency} />],
        ['Wallet', <IdLink key="wallet" view="wallets" id={payment.wallet_id} />],
        ['Service', payment.service_id],
        ['Method', words(payment.method)],
        ['Token', payment.token],
        ['Provider', payment.provider],
        ['Provider reference', payment.provider_reference],
        ['Reference', payment.reference],
        ['Failure', failure === undefined ? null : `${words(failure.code)}: ${failure.message}`],
        ['Decline code', failure?.decline_code],
        ['Next look-up', payment.next_check_at === undefined ? null : <When key="next" at={payment.next_check_at} />],
        ['Made', <When key="made" at={payment.created_at} />],
        ['Ended', payment.completed_at === undefined ? null : <When key="ended" at={payment.completed_at} />],
      ]}
    />
  );
}
