/** Providers: the state of each breaker, and an operator's word on it. */
import { Button } from '@cloudflare/kumo/components/button';
import { useState } from 'react';
import { api } from '../api/client.ts';
import { useApi } from '../api/hooks.ts';
import type { Breaker, List } from '../api/types.ts';
import { type Column, DataTable } from '../components/data-table.tsx';
import { type Operation, OperatorDialog } from '../components/operator-dialog.tsx';
import { Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { Status, When } from '../components/values.tsx';

const POLL_MS = 5_000;
const FORCES = [
  ['open', 'Force open', 'No call is made to the provider until you take the word back.'],
  ['closed', 'Force closed', 'Calls are made whatever is measured, until you take the word back.'],
  ['automatic', 'Automatic', 'The breaker goes by its measurements again.'],
] as const;

export function ProvidersView() {
  const breakers = useApi<List<Breaker>>('/ops/breakers', POLL_MS);
  const [operation, setOperation] = useState<Operation | null>(null);
  const byProvider = Map.groupBy(breakers.data?.data ?? [], ({ provider }) => provider);
  const close = (hasChanged: boolean): void => {
    setOperation(null);
    if (hasChanged) breakers.reload();
  };
  const buttons = (provider: string, only?: string) =>
    FORCES.map(([state, label, says]) => (
      <Button key={state} size="sm" onClick={() => setOperation(force(provider, state, label, says, only))}>
        {label}
        <span className="visually-hidden">
          {' '}
          {provider} {only ?? 'all'}
        </span>
      </Button>
    ));
  const columns: readonly Column<Breaker>[] = [
    { name: 'Operation', cell: ({ operation: name }) => name },
    { name: 'State', cell: ({ state }) => <Status value={state} /> },
    { name: 'Calls', isNumber: true, cell: ({ calls }) => calls },
    { name: 'Failures', isNumber: true, cell: ({ failures }) => failures },
    { name: 'Slow', isNumber: true, cell: ({ slow }) => slow },
    { name: 'Open until', cell: ({ open_until }) => (open_until === null ? '' : <When at={open_until} />) },
    {
      name: 'Change',
      cell: ({ provider, operation: name }) => <div className="actions nowrap">{buttons(provider, name)}</div>,
    },
  ];
  return (
    <Page title="Providers">
      <Loadable what="providers" {...breakers} isEmpty={breakers.data?.data.length === 0}>
        {[...byProvider].map(([provider, rows]) => (
          <Section key={provider} title={provider} actions={buttons(provider)}>
            <DataTable
              label={`Breakers of ${provider}`}
              columns={columns}
              items={rows}
              keyOf={({ operation: name }) => name}
            />
          </Section>
        ))}
        <p className="subtle">Calls, failures and slow calls are those of the last minute.</p>
      </Loadable>
      <OperatorDialog operation={operation} onClose={close} />
    </Page>
  );
}

function force(provider: string, state: string, label: string, says: string, only?: string): Operation {
  return {
    title: `${label}: ${provider}, ${only ?? 'all operations'}`,
    description: says,
    verb: label,
    isDangerous: state !== 'automatic',
    run: async (word) => {
      const body = { ...word, state, ...(only !== undefined && { operation: only }) };
      const path = `/ops/breakers/${encodeURIComponent(provider)}`;
      const { data } = await api<List<Breaker>>(path, { method: 'POST', body });
      const changed = data.filter(({ operation }) => only === undefined || operation === only);
      return changed.map(({ operation, state: now }) => `${operation} is ${now.replaceAll('_', ' ')}`).join(', ');
    },
  };
}
