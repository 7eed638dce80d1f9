/** How things stand: what needs somebody first, then payments over time, money in limbo, queues and breakers. */
import { useState } from 'react';
import { pathOf } from '../api/client.ts';
import { useApi } from '../api/hooks.ts';
import type { Overview } from '../api/types.ts';
import { SelectField } from '../components/fields.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loadable } from '../components/states.tsx';
import { Money, Status, When } from '../components/values.tsx';
import { counted, words } from '../format.ts';
import { ActivityPlot } from '../plots/activity-plot.tsx';
import { addressOf } from '../router.ts';
import { durationText } from '../timeline/layout.ts';

const POLL_MS = 10_000;

export function OverviewView() {
  const [window, setWindow] = useState<string>('hour');
  const loaded = useApi<Overview>(pathOf('/ops/overview', { window }), POLL_MS);
  return (
    <Page
      title="Overview"
      actions={
        <SelectField
          label="Window"
          value={window}
          onChange={setWindow}
          options={[
            ['hour', 'Last hour, by minute'],
            ['day', 'Last day, by hour'],
          ]}
        />
      }
    >
      <Loadable what="overview" {...loaded}>
        {loaded.data !== null && <Standing overview={loaded.data} />}
      </Loadable>
    </Page>
  );
}

function Standing({ overview }: { overview: Overview }) {
  const { activity, limbo, breakers, sweep, reconciliation } = overview;
  const tripped = breakers.filter(({ state }) => state !== 'closed');
  return (
    <>
      <Tiles overview={overview} />
      <div className="columns">
        <Section title="Throughput">
          <ActivityPlot title="Payments made" slots={activity.slots} parts={['completed', 'failed', 'pending']} />
        </Section>
        <Section title="Failures">
          <ActivityPlot title="Payments that failed" slots={activity.slots} parts={['failed']} />
        </Section>
      </div>
      {activity.truncated && <p className="subtle">More payments than are counted here: the oldest bars tell less.</p>}
      <div className="columns">
        <Section title="Money in limbo">
          {limbo.length === 0 ? (
            <p className="subtle">None: every payment has ended.</p>
          ) : (
            <Facts
              facts={limbo.map(({ currency, amount, payments }) => [
                counted(payments, 'payment'),
                <Money key={currency} amount={amount} currency={currency} />,
              ])}
            />
          )}
        </Section>
        <Section title="Breakers">
          {tripped.length === 0 ? (
            <p className="subtle">All {breakers.length} are closed.</p>
          ) : (
            <Facts
              facts={tripped.map(({ provider, operation, state }) => [
                `${provider}, ${operation}`,
                <Status key={state} value={state} />,
              ])}
            />
          )}
        </Section>
        <Section title="Record and books">
          <Facts
            facts={[
              ['Last sweep', sweep === null ? 'none yet' : <When key="sweep" at={sweep.finished_at} />],
              ['Events waiting to be recorded', sweep === null ? null : waiting(sweep.outbox_age_ms)],
              ['It found', sweep === null ? null : findings(sweep.findings)],
              [
                'Last reconciliation',
                reconciliation === null ? 'none yet' : <When key="books" at={reconciliation.begun_at} />,
              ],
              ['Differences', reconciliation?.differences],
              ['Complete', reconciliation === null ? null : reconciliation.complete ? 'yes' : 'no'],
            ]}
          />
        </Section>
      </div>
    </>
  );
}

function Tiles({ overview }: { overview: Overview }) {
  const sum = (name: 'unfinished' | 'stuck' | 'attention') =>
    overview.sagas.reduce((total, saga) => total + saga[name], 0);
  const letters = overview.dead_letters.reduce((total, { present }) => total + present, 0);
  const queues = overview.dead_letters.map(({ queue, present }) => `${present} in ${queue}`).join(', ');
  return (
    <dl className="tiles">
      <Tile name="Need a person" value={sum('attention')} isAlarming href={addressOf(['sagas'])} />
      <Tile name="Stand still" value={sum('stuck')} isAlarming href={addressOf(['sagas'])} />
      <Tile
        name="Dead letters"
        value={letters}
        isAlarming
        href={addressOf(['dead-letters'], { status: 'present' })}
        note={queues}
      />
      <Tile name="Unfinished" value={sum('unfinished')} href={addressOf(['payments'], { status: 'PENDING' })} />
    </dl>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: number;
  readonly href: string;
  readonly isAlarming?: boolean;
  readonly note?: string;
}

function Tile({ name, value, href, isAlarming = false, note }: TileProps) {
  return (
    <div className="tile">
      <dt>
        <a href={href}>{name}</a>
      </dt>
      <dd className={isAlarming && value > 0 ? 'alarming' : ''}>{value.toLocaleString('en')}</dd>
      {note !== undefined && note !== '' && <dd className="note">{note}</dd>}
    </div>
  );
}

function waiting(ageMs: number): string {
  return ageMs === 0 ? 'none too long' : `for ${durationText(ageMs)}`;
}

function findings(counts: Readonly<Record<string, number>>): string {
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  return found.length === 0 ? 'nothing' : found.map(([name, count]) => `${count} ${words(name)}`).join(', ');
}
