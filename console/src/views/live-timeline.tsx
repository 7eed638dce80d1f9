/** A saga's timeline, live: the picture, and the same as tables. Follows the events until there will be no more. */
import { useEffect, useRef, useState } from 'react';
import type { ApiError } from '../api/client.ts';
import { type FollowState, follow } from '../api/follow.ts';
import { asApiError } from '../api/hooks.ts';
import type { Envelope } from '../api/types.ts';
import { type Column, DataTable } from '../components/data-table.tsx';
import { Section } from '../components/page.tsx';
import { Loading, Problem } from '../components/states.tsx';
import { When } from '../components/values.tsx';
import { words } from '../format.ts';
import { type Attempt, durationText, layoutOf, type Row, type Timeline } from '../timeline/layout.ts';
import { TimelinePicture } from '../timeline/timeline-picture.tsx';

const SAYS: Readonly<Record<FollowState, string>> = {
  connecting: 'Connecting…',
  live: 'Live',
  ended: 'Complete: nothing more will come.',
  interrupted: 'Interrupted; trying again…',
};

interface LiveProps {
  readonly path: string;
  readonly noun: 'payment' | 'refund';
  /** The sequence that its saga is known to have come to: what comes after an end is told to whoever asks again. */
  readonly upTo: number;
  /** An event has come that was not there before. */
  readonly onChange: () => void;
}

export function LiveTimeline({ path, noun, upTo, onChange }: LiveProps) {
  const { events, state, error } = useEvents(path, upTo, onChange);
  const timeline = layoutOf(events);
  return (
    <>
      <Section
        title="Timeline"
        actions={
          <span role="status" className="subtle">
            {error === null && SAYS[state]}
          </span>
        }
      >
        {error !== null && <Problem error={error} />}
        {error === null && events.length === 0 && <Loading what="timeline" />}
        {events.length > 0 && (
          <TimelinePicture timeline={timeline} label={`The ${noun}'s steps over time. ${summary(timeline)}`} />
        )}
      </Section>
      {events.length > 0 && (
        <Section title="Steps">
          <DataTable label="Steps" columns={STEP_COLUMNS} items={stepsOf(timeline)} keyOf={({ key }) => key} />
        </Section>
      )}
      {events.length > 0 && (
        <Section title="Events">
          <DataTable label="Events" columns={EVENT_COLUMNS} items={events} keyOf={(event) => event.event_id} />
        </Section>
      )}
    </>
  );
}

/** @param path of one saga for good: its view is made anew for another. */
function useEvents(path: string, upTo: number, onChange: () => void) {
  const [events, setEvents] = useState<readonly Envelope[]>([]);
  const [state, setState] = useState<FollowState>('connecting');
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  const last = useRef(0);
  const changed = useRef(onChange);
  changed.current = onChange;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another round follows the same timeline further.
  useEffect(() => {
    const abort = new AbortController();
    // Many events come at once, and then one by one: the payment is read again once they pause.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onEvent = (event: Envelope): void => {
      // Twice, where a stream was cut between two events: the sequence tells.
      if (event.metadata.sequence <= last.current) return;
      last.current = event.metadata.sequence;
      setEvents((before) => [...before, event]);
      clearTimeout(timer);
      timer = setTimeout(() => changed.current(), 250);
    };
    const onError = (thrown: unknown) => {
      if (!abort.signal.aborted) setError(asApiError(thrown));
    };
    setError(null);
    follow(path, { onEvent, onState: setState }, abort.signal, last.current).catch(onError);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, round]);
  useEffect(() => {
    if (state === 'ended' && upTo > last.current) setRound((before) => before + 1);
  }, [state, upTo]);
  return { events, state, error };
}

interface Step {
  readonly key: string;
  readonly row: Row;
  readonly attempt: Attempt;
  readonly number: number;
  readonly afterMs: number;
}

const STEP_COLUMNS: readonly Column<Step>[] = [
  { name: 'Step', cell: ({ row }) => (row.isUndo ? `${row.label} (undoes)` : row.label) },
  { name: 'Attempt', isNumber: true, cell: ({ number }) => number },
  { name: 'Began', isNumber: true, cell: ({ afterMs }) => `+${durationText(afterMs)}` },
  {
    name: 'Took',
    isNumber: true,
    cell: ({ attempt }) => (attempt.toMs === null ? 'runs' : durationText(attempt.toMs - attempt.fromMs)),
  },
  { name: 'Result', cell: ({ attempt }) => words(attempt.result) },
  { name: 'Answer', cell: ({ attempt }) => attempt.answer ?? '' },
  { name: 'Provider', cell: ({ attempt }) => attempt.provider ?? '' },
];

function stepsOf({ rows, fromMs }: Timeline): Step[] {
  const steps = rows.flatMap((row) =>
    row.attempts.map((attempt, at) => ({
      key: `${row.command} ${at}`,
      row,
      attempt,
      number: at + 1,
      afterMs: attempt.fromMs - fromMs,
    })),
  );
  return steps.sort((one, other) => one.attempt.fromMs - other.attempt.fromMs);
}

const EVENT_COLUMNS: readonly Column<Envelope>[] = [
  { name: 'Number', isNumber: true, cell: ({ metadata }) => metadata.sequence },
  { name: 'At', cell: ({ timestamp }) => <When at={timestamp} /> },
  { name: 'Event', cell: ({ event_type }) => <span className="mono">{event_type}</span> },
  { name: 'Says', cell: ({ payload }) => <span className="mono says">{saysOf(payload)}</span> },
];

/** What differs from event to event; ids and amounts are above already. */
const SAID_ALREADY = new Set([
  'payment_id',
  'refund_id',
  'wallet_id',
  'service_id',
  'amount',
  'currency',
  'method',
  'reference',
]);

function saysOf(payload: Readonly<Record<string, unknown>>): string {
  return Object.entries(payload)
    .filter(([name]) => !SAID_ALREADY.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
}

function summary({ rows, marks, fromMs, toMs }: Timeline): string {
  const steps = rows.map(({ label, attempts }) => {
    const last = attempts.at(-1);
    const times = attempts.length > 1 ? `, ${attempts.length} attempts` : '';
    return `${label}: ${words(last?.result ?? 'running')}${times}`;
  });
  return `${[...steps, ...marks.slice(-1).map(({ label }) => label)].join('; ')}; ${durationText(toMs - fromMs)} so far.`;
}
