/** How things stand: what needs somebody first, then payments over time, money in limbo, queues and breakers. */
import { useState } from 'react';
import { SCRAPE_ROWS_MAX } from '../../../src/domain/limits.ts';
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

/** Instead of what a merchant's key does not see: that there is none would be another thing. */
const FOR_PLATFORM_KEYS = 'Of the whole deployment: shown to platform keys.';

function Standing({ overview }: { overview: Overview }) {
  const { activity, limbo, breakers, sweep, reconciliation } = overview;
  const tripped = breakers.filter(({ state }) => state !== 'closed');
  // A merchant's key is shown nothing of these.
  const isWhole = breakers.length > 0 || sweep !== null || reconciliation !== null;
  // Nothing was counted, of more than could be: all merchants' payments are in no index by time.
  const isCounted =
    !activity.truncated || activity.slots.some(({ completed, failed, pending }) => completed + failed + pending > 0);
  return (
    <>
      <Tiles overview={overview} />
      {isCounted ? (
        <Activity activity={activity} />
      ) : (
        <p className="subtle">
          Payments over time are counted for one merchant: of all of them, /metrics has the rates.
        </p>
      )}
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
          {overview.sagas_truncated && <p className="subtle">More is in limbo than is counted here.</p>}
        </Section>
        <Section title="Breakers">
          {breakers.length === 0 ? (
            <p className="subtle">{isWhole ? 'There are none.' : FOR_PLATFORM_KEYS}</p>
          ) : tripped.length === 0 ? (
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
          {isWhole ? (
            <Recorded sweep={sweep} reconciliation={reconciliation} />
          ) : (
            <p className="subtle">{FOR_PLATFORM_KEYS}</p>
          )}
        </Section>
      </div>
    </>
  );
}

function Activity({ activity }: Pick<Overview, 'activity'>) {
  return (
    <>
      <div className="columns">
        <Section title="Throughput">
          <ActivityPlot title="Payments made" slots={activity.slots} parts={['completed', 'failed', 'pending']} />
        </Section>
        <Section title="Failures">
          <ActivityPlot title="Payments that failed" slots={activity.slots} parts={['failed']} />
        </Section>
      </div>
      {activity.truncated && <p className="subtle">More payments than are counted here: the oldest bars tell less.</p>}
    </>
  );
}

function Recorded({ sweep, reconciliation }: Pick<Overview, 'sweep' | 'reconciliation'>) {
  return (
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
  );
}

function Tiles({ overview }: { overview: Overview }) {
  const sum = (name: 'unfinished' | 'stuck' | 'attention') =>
    overview.sagas.reduce((total, saga) => total + saga[name], 0);
  const letters = overview.dead_letters.reduce((total, { present }) => total + present, 0);
  // As many as are counted, or more.
  const isAtLeast = overview.sagas_truncated;
  const queues = overview.dead_letters.map(({ queue, present }) => `${present} in ${queue}`).join(', ');
  return (
    <dl className="tiles">
      <Tile
        name="Need a person"
        isAtLeast={isAtLeast}
        value={sum('attention')}
        isAlarming
        href={addressOf(['sagas'])}
      />
      <Tile name="Stand still" isAtLeast={isAtLeast} value={sum('stuck')} isAlarming href={addressOf(['sagas'])} />
      <Tile
        name="Dead letters"
        value={letters}
        isAtLeast={letters >= SCRAPE_ROWS_MAX}
        isAlarming
        href={addressOf(['dead-letters'], { status: 'present' })}
        note={queues}
      />
      <Tile
        name="Unfinished"
        isAtLeast={isAtLeast}
        value={sum('unfinished')}
        href={addressOf(['payments'], { status: 'PENDING' })}
      />
    </dl>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: number;
  readonly href: string;
  readonly isAlarming?: boolean;
  /** There are more than were counted. */
  readonly isAtLeast?: boolean;
  readonly note?: string;
}

function Tile({ name, value, href, isAlarming = false, isAtLeast = false, note }: TileProps) {
  return (
    <div className="tile">
      <dt>
        <a href={href}>{name}</a>
      </dt>
      <dd className={isAlarming && value > 0 ? 'alarming' : ''}>
        {value.toLocaleString('en')}
        {isAtLeast && ' or more'}
      </dd>
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
