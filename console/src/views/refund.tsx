/** One refund: its timeline as a picture and as a table, both live, and what a person may do. */
import { useApi } from '../api/hooks.ts';
import type { RefundView as Refund } from '../api/types.ts';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { IdLink, Money, Status, When } from '../components/values.tsx';
import { words } from '../format.ts';
import { LiveTimeline } from './live-timeline.tsx';
import { SagaMoves } from './saga-moves.tsx';

export function RefundView({ id }: { id: string }) {
  const refund = useApi<Refund>(`/refunds/${encodeURIComponent(id)}`);
  return (
    <Page title="Refund">
      <Loadable what="refund" {...refund}>
        {refund.data !== null && (
          <>
            <Section title={refund.data.id}>
              <Facts
                facts={[
                  ['Status', <Status key="status" value={refund.data.status} />],
                  ['State', words(refund.data.saga_state)],
                  ['Amount', <Money key="amount" amount={refund.data.amount} currency={refund.data.currency} />],
                  ['Payment', <IdLink key="payment" view="payments" id={refund.data.payment_id} />],
                  ['Reason', refund.data.reason],
                  ['Provider', refund.data.provider],
                  ['Failure', refund.data.failure?.message],
                  ['Made', <When key="made" at={refund.data.created_at} />],
                ]}
              />
            </Section>
            <SagaMoves id={id} version={refund.data.updated_at} onMoved={refund.reload} />
            <LiveTimeline path={`/refunds/${encodeURIComponent(id)}/events`} noun="refund" onChange={refund.reload} />
          </>
        )}
      </Loadable>
    </Page>
  );
}
