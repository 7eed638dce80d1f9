/** One reconciliation: what was compared, and every difference that was found. Read again while it runs. */

import { Button } from '@cloudflare/kumo/components/button';
import { Empty } from '@cloudflare/kumo/components/empty';
import { useState } from 'react';
import { pathOf } from '../api/client.ts';
import { useApi } from '../api/hooks.ts';
import type { Finding, ReconciliationReport } from '../api/types.ts';
import { type Column, DataTable } from '../components/data-table.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { IdLink, Money, Status, When } from '../components/values.tsx';
import { moneyText, words } from '../format.ts';

const POLL_MS = 2_000;

const COLUMNS: readonly Column<Finding>[] = [
  { name: 'Finding', cell: (finding) => words(finding.class) },
  {
    name: 'Payment',
    cell: ({ payment_id }) => (payment_id === null ? '' : <IdLink view="payments" id={payment_id} />),
  },
  { name: 'Subject', cell: ({ subject }) => <span className="mono">{subject}</span> },
  { name: 'Provider', cell: ({ provider }) => provider ?? '' },
  { name: 'We say', cell: ({ expected }) => sideText(expected) },
  { name: 'They say', cell: ({ found }) => sideText(found) },
  {
    name: 'In doubt',
    isNumber: true,
    cell: ({ money_in_doubt, currency }) => <Money amount={money_in_doubt} currency={currency} />,
  },
  { name: 'Confirmed', cell: ({ confirmed }) => (confirmed ? 'yes' : 'no') },
];

export function ReconciliationView({ id }: { id: string }) {
  const [cursor, setCursor] = useState<string | null>(null);
  const path = pathOf(`/ops/reconciliations/${encodeURIComponent(id)}`, { limit: 50, cursor });
  const [isRunning, setRunning] = useState(true);
  const report = useApi<ReconciliationReport>(path, isRunning ? POLL_MS : undefined);
  const { data } = report;
  if (data !== null && (data.status === 'running') !== isRunning) setRunning(data.status === 'running');
  const next = data?.findings.next_cursor ?? null;
  return (
    <Page title="Reconciliation report">
      <Loadable what="report" {...report}>
        {data !== null && (
          <>
            <Section title={data.id}>
              <ReportFacts report={data} />
            </Section>
            <Section
              title="Findings"
              actions={
                <>
                  {cursor !== null && <Button onClick={() => setCursor(null)}>First page</Button>}
                  {next !== null && <Button onClick={() => setCursor(next)}>Next page</Button>}
                </>
              }
            >
              {data.findings.data.length === 0 ? (
                <Empty size="sm" title="No findings" description={noneText(data)} />
              ) : (
                <DataTable
                  label="Findings"
                  columns={COLUMNS}
                  items={data.findings.data}
                  keyOf={(finding) => `${finding.class} ${finding.payment_id} ${finding.subject}`}
                />
              )}
            </Section>
          </>
        )}
      </Loadable>
    </Page>
  );
}

function ReportFacts({ report }: { report: ReconciliationReport }) {
  const doubt = report.money_in_doubt.map(({ amount, currency }) => moneyText(amount, currency)).join(', ');
  return (
    <Facts
      facts={[
        ['Status', <Status key="status" value={report.status} />],
        ['Complete', report.complete ? 'yes' : 'no'],
        ['Begun', <When key="begun" at={report.created_at} />],
        ['By', report.actor ?? report.trigger],
        ['Because', report.reason],
        ['From', <When key="from" at={report.from} />],
        ['To', <When key="to" at={report.to} />],
        ['Provider', report.provider ?? 'all'],
        ['Compared', report.payments.compared],
        ['In flight', report.payments.in_flight],
        ['Need a person', report.payments.needs_attention],
        ['Differences', report.differences],
        ['Not kept', report.differences_left_out === 0 ? null : report.differences_left_out],
        ['Money in doubt', doubt === '' ? 'none' : doubt],
        ['Failure', report.failure],
        ...report.books.map(
          ({ provider, coverage, lines, reason }) =>
            [
              `Books of ${provider}`,
              `${words(coverage)}, ${lines} lines${reason === null ? '' : ` (${reason})`}`,
            ] as const,
        ),
      ]}
    />
  );
}

function noneText({ status, complete }: ReconciliationReport): string {
  if (status === 'running') return 'None so far; it runs.';
  return complete
    ? 'Everything was compared, and agrees.'
    : 'Not everything was compared: this says nothing of the rest.';
}

function sideText(side: Finding['expected']): string {
  if (side === null) return '';
  const { state, amount, currency } = side;
  return amount === null || currency === null ? words(state) : `${words(state)} ${moneyText(amount, currency)}`;
}
