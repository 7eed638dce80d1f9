/** docs/observability says what there is: every series, every alert with its test and its section, every line of the log. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MINUTE_MS } from '../../src/domain/limits.ts';
import { FAMILIES } from '../../src/domain/metrics/families.ts';
import { LOOK_AGAIN_MS } from '../../src/domain/sweep-policy.ts';

const FOLDER = 'docs/observability';
const read = (name: string): string => readFileSync(`${FOLDER}/${name}`, 'utf8');

/** Names as Prometheus has them. */
const SERIES = Object.values(FAMILIES).flatMap(({ name, type }) =>
  type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
);
const alertsOf = (text: string, key: string) =>
  [...text.matchAll(new RegExp(`${key}: (\\w+)$`, 'gm'))].map(([, name]) => name);

test.each(['alerts.yml', 'alerts.test.yml', 'grafana-dashboard.json'])('every series of %s is exposed', (file) => {
  const used = [...read(file).matchAll(/\bholdfast_\w+/g)].map(([name]) => name);
  expect(used.length).toBeGreaterThan(10);
  expect(used.filter((name) => !SERIES.includes(name as (typeof SERIES)[number]))).toEqual([]);
});

test.each(['alerts.yml', 'grafana-dashboard.json'])(
  'every label that %s asks for is one that its series has',
  (file) => {
    const text = read(file).replaceAll('\\"', '"');
    const selectors = [...text.matchAll(/\b(holdfast_\w+)\{([^}]*)\}/g)];
    for (const [selector, series = '', matchers = ''] of selectors) {
      const family = Object.values(FAMILIES).find(({ name }) => series.replace(/_(bucket|sum|count)$/, '') === name);
      for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"/g)) {
        expect(family?.labels, `${selector}: ${label}`).toContain(label);
      }
    }
  },
);

test('every family is on the dashboard', () => {
  const dashboard = read('grafana-dashboard.json');
  expect(Object.values(FAMILIES).filter(({ name }) => !dashboard.includes(name))).toEqual([]);
});

test('every alert has a test that it fires, a section, and a link to it', () => {
  const rules = read('alerts.yml');
  const page = read('alerts.md');
  const fires = read('alerts.test.yml')
    .split('  - name: ')
    .filter((each) => each.includes('exp_labels'))
    .flatMap((each) => alertsOf(each, 'alertname'));
  const alerts = alertsOf(rules, '- alert');
  expect(alerts.length).toBeGreaterThan(10);
  for (const alert of alerts) {
    expect(fires).toContain(alert);
    expect(page).toContain(`\n## ${alert}\n`);
    expect(rules).toContain(`runbook: docs/observability/alerts.md#${alert?.toLowerCase()}\n`);
  }
  expect([...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name)).toEqual(alerts);
});

test('the alert on the outbox waits until one finding is no longer told of, by a run that is late too', () => {
  const [, minutes] = /alert: HoldfastOutboxStale\n.+\n +for: (\d+)m\n/.exec(read('alerts.yml')) ?? [];
  expect(Number(minutes) * MINUTE_MS).toBeGreaterThan(LOOK_AGAIN_MS + MINUTE_MS);
});

test('every anchor that alerts.md and logs.md link to is there', () => {
  const runbook = readFileSync('docs/runbook.md', 'utf8');
  const anchors = [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  const links = ['alerts.md', 'logs.md'].flatMap((file) => [...read(file).matchAll(/runbook\.md#([\w-]+)/g)]);
  expect(links.length).toBeGreaterThan(5);
  expect(links.map(([, anchor]) => anchor).filter((anchor) => !anchors.includes(anchor ?? ''))).toEqual([]);
});

/** Names that are put together where they are written; each with the expression that makes it. */
const MADE: Readonly<Record<string, readonly string[]>> = {
  'FACTS[after.status]': ['notification.attempted', 'notification.delivered', 'notification.failed'],
  "isNew ? 'dead_letter.stored' : 'dead_letter.counted'": ['dead_letter.stored', 'dead_letter.counted'],
  '`callback.${intake.kind}`': ['callback.ignored', 'callback.rejected'],
};

/** The first argument of every call of logLine or routineLine. */
function logged(): string[] {
  const files = ['src', 'queues', 'durable-objects'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'telemetry/log.ts')
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8')),
  );
  return files.flatMap((text) =>
    [...text.matchAll(/(?<!function )\b(?:logLine|routineLine)\(\s*([^,]+?),/g)].map(([, name = '']) => name),
  );
}

test('every line that is logged is in logs.md, and no other', () => {
  const names = logged().flatMap((name) => MADE[name] ?? [name.replaceAll("'", '')]);
  expect(names.length).toBeGreaterThan(30);
  const rows = read('logs.md').split('| event | is |')[1] ?? '';
  const listed = [...rows.matchAll(/^\| ((?:`[\w.]+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([\w.]+)`/g)].map(([, name]) => name),
  );
  expect(listed.toSorted()).toEqual([...new Set(names)].toSorted());
});
