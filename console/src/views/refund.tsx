/** One refund: its timeline as a picture and as a table, both live, and what a person may do. */
import { useApi } from '../api/hooks.ts';
import type { RefundView as Refund } from '../api/types.ts';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { IdLink, Money, Status, When } from '../components/values.tsx';
import { words } from '../format.ts';
import { LiveTimeline } from './live-timeline.tsx';
import { SagaMoves, useSaga } from './saga-moves.tsx';

export function RefundView({ id }: { id: string }) {
  const refund = useApi<Refund>(`/refunds/${encodeURIComponent(id)}`);
  const saga = useSaga(id, refund.data?.updated_at);
  // A key may see sagas, and no refunds: what its refund is, the saga says too.
  const shown = refund.data ?? saga.data?.refund ?? null;
  return (
    <Page title="Refund">
      <Loadable what="refund" {...refund}>
        {shown !== null && (
          <>
            <Section title={shown.id}>
              <Facts
                facts={[
                  ['Status', <Status key="status" value={shown.status} />],
                  ['State', words(shown.saga_state)],
                  ['Amount', <Money key="amount" amount={shown.amount} currency={shown.currency} />],
                  ['Payment', <IdLink key="payment" view="payments" id={shown.payment_id} />],
                  ['Reason', shown.reason],
                  ['Provider', shown.provider],
                  ['Failure', shown.failure?.message],
                  ['Made', <When key="made" at={shown.created_at} />],
                ]}
              />
            </Section>
            <SagaMoves id={id} saga={saga} onMoved={refund.reload} />
          </>
        )}
        {refund.data !== null && (
          <LiveTimeline
            path={`/refunds/${encodeURIComponent(id)}/events`}
            noun="refund"
            upTo={saga.data?.sequence ?? 0}
            onChange={refund.reload}
          />
        )}
      </Loadable>
    </Page>
  );
}
