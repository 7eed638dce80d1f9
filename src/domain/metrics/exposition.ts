/**
 * Pure: samples as Prometheus reads them, text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format), and the samples that the stored counters and
 * sums amount to. Called by GET /metrics.
 */
import type { Counts } from '../audit/counters.ts';
import { priceOfUnits, usdText } from '../cost/prices.ts';
import { costSeries } from '../cost/series.ts';
import { RESOURCES } from '../cost/spent.ts';
import { DEAD_LETTER_SERIES } from '../dead-letter.ts';
import { COUNTERS, FAMILIES, type FamilyId, type Labels, NO_FAILURES, SUMS } from './families.ts';
import { FAILURES, LATENCY_BOUNDS_MS, SEPARATOR, SUM_MS, UNBOUNDED } from './measures.ts';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  readonly family: FamilyId;
  /** Of a histogram: which of its series. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly labels: Labels;
  /** A decimal number as text where it may be more than a number holds. */
  readonly value: number | string;
}

/** Families in the order of their table, each once and with all its samples; a family without any is left out. */
export function exposition(samples: readonly Sample[]): string {
  const lines: string[] = [];
  for (const [id, { name, type, help }] of Object.entries(FAMILIES)) {
    const own = samples.filter(({ family }) => family === id);
    if (own.length === 0) continue;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    lines.push(...own.map(({ suffix = '', labels, value }) => `${name}${suffix}${labelsText(labels)} ${value}`));
  }
  return `${lines.join('\n')}\n`;
}

function labelsText(labels: Labels): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return texts.length === 0 ? '' : `{${texts.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/**
 * Counters that have not moved are 0, so that their first step is seen as one. How many dead letters are present follows from
 * what became of all of them (X3), without a look at any. A failure stands under its code and not under the series of all as well,
 * which keeps those that were counted before codes were: to add them up is to have each once.
 */
export function samplesOfCounts(counts: Counts): Sample[] {
  const of = (series: string): number => counts[series] ?? 0;
  const counters = Object.entries(COUNTERS).map(([series, [family, labels]]) => ({
    family,
    labels,
    value: of(series) - withCode(counts, series),
  }));
  const present = of(DEAD_LETTER_SERIES.stored) - of(DEAD_LETTER_SERIES.redriven) - of(DEAD_LETTER_SERIES.discarded);
  return [
    ...counters,
    { family: 'deadLetters', labels: {}, value: present },
    ...samplesOfSums({ ...NO_FAILURES, ...counts }),
    ...samplesOfCost(counts),
  ];
}

/** How many of a series are counted by their code. */
function withCode(counts: Counts, series: string): number {
  const prefix = FAILURES[series];
  if (prefix === undefined) return 0;
  return Object.entries(counts).reduce((sum, [name, count]) => (name.startsWith(prefix) ? sum + count : sum), 0);
}

/** Every resource, from 0; the sums are exact, and so is their price. */
function samplesOfCost(counts: Counts): Sample[] {
  return RESOURCES.flatMap((resource): Sample[] => {
    const units = counts[costSeries(resource)] ?? 0;
    const usd = usdText(priceOfUnits(resource, units), 9);
    return [
      { family: 'cost', labels: { resource }, value: units },
      { family: 'costUsd', labels: { resource }, value: usd },
    ];
  });
}

function samplesOfSums(counts: Counts): Sample[] {
  const samples: Sample[] = [];
  const histograms = new Map<string, { family: FamilyId; labels: Labels; sums: Map<string, number> }>();
  for (const [name, sum] of Object.entries(counts)) {
    const [measure = '', ...parts] = name.split(SEPARATOR);
    const family = SUMS[measure];
    if (family === undefined) continue;
    const { type, labels: names } = FAMILIES[family];
    const labels = Object.fromEntries(names.map((label, at) => [label, parts[at] ?? '']));
    if (type !== 'histogram') {
      samples.push({ family, labels, value: sum });
      continue;
    }
    const key = name.slice(0, name.lastIndexOf(SEPARATOR));
    const histogram = histograms.get(key) ?? { family, labels, sums: new Map<string, number>() };
    histogram.sums.set(parts.at(-1) ?? '', sum);
    histograms.set(key, histogram);
  }
  for (const histogram of histograms.values()) samples.push(...samplesOfHistogram(histogram));
  return samples;
}

/** Stored is what fell into each bucket; exposed, as the format wants it, what fell into it or a lower one. */
function samplesOfHistogram(histogram: {
  readonly family: FamilyId;
  readonly labels: Labels;
  readonly sums: ReadonlyMap<string, number>;
}): Sample[] {
  const { family, labels, sums } = histogram;
  let count = 0;
  const buckets = [...LATENCY_BOUNDS_MS, UNBOUNDED].map((bound): Sample => {
    count += sums.get(String(bound)) ?? 0;
    const le = typeof bound === 'number' ? String(bound / 1_000) : '+Inf';
    return { family, suffix: '_bucket', labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { family, suffix: '_sum', labels, value: (sums.get(SUM_MS) ?? 0) / 1_000 },
    { family, suffix: '_count', labels, value: count },
  ];
}
