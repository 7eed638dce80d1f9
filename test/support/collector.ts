/**
 * A collector of traces as a test sees it: what was exported to it over HTTP, decoded strictly by the OTLP/JSON schema, the spans
 * of one trace, and the same as a tree of text.
 */
import { z } from 'zod';
import { type Received, Receiver } from './receiver.ts';

const attributes = z.array(
  z.strictObject({
    key: z.string(),
    value: z.union([
      z.strictObject({ stringValue: z.string() }),
      z.strictObject({ intValue: z.string().regex(/^\d+$/) }),
    ]),
  }),
);
const nanoseconds = z.string().regex(/^\d{19}$/);
const spanSchema = z.strictObject({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  name: z.string().min(1),
  kind: z.number().int().min(1).max(5),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  events: z.array(z.strictObject({ name: z.string(), timeUnixNano: nanoseconds, attributes })),
  status: z.strictObject({ code: z.literal(2).optional() }),
});
const exportSchema = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(z.strictObject({ scope: z.strictObject({ name: z.string() }), spans: z.array(spanSchema) })),
    }),
  ),
});

export type CollectedSpan = z.infer<typeof spanSchema>;

/** As opentelemetry/proto/trace/v1/trace.proto numbers them. */
const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

const collector = new Receiver('collector');

export async function exportsHeard(): Promise<Received[]> {
  return collector.received();
}

/** The spans of one trace, by id; one that was exported again replaces what it was. */
export async function spansOf(traceId: string): Promise<ReadonlyMap<string, CollectedSpan>> {
  const spans = (await exportsHeard())
    .flatMap(({ body }) => exportSchema.parse(JSON.parse(body)).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap((each) => each.spans))
    .filter((span) => span.traceId === traceId);
  return new Map(spans.map((span) => [span.spanId, span]));
}

export function attributeOf(span: CollectedSpan, key: string): string | undefined {
  const value = span.attributes.find((each) => each.key === key)?.value;
  return value && ('stringValue' in value ? value.stringValue : value.intValue);
}

/** Those whose parent is neither among them nor the caller's. */
export function orphansOf(spans: ReadonlyMap<string, CollectedSpan>, callerSpanId: string): CollectedSpan[] {
  return [...spans.values()].filter(
    ({ parentSpanId }) => parentSpanId === undefined || (parentSpanId !== callerSpanId && !spans.has(parentSpanId)),
  );
}

/** One line per span, under its parent: its kind, its name and what it says of its end. Siblings in the order of their log. */
export function treeOf(spans: ReadonlyMap<string, CollectedSpan>, parentSpanId: string, indent = ''): string[] {
  return [...spans.values()]
    .filter((span) => span.parentSpanId === parentSpanId)
    .sort((left, right) => right.kind - left.kind)
    .flatMap((span) => [`${indent}${lineOf(span)}`, ...treeOf(spans, span.spanId, `${indent}  `)]);
}

const SAID = [
  'http.response.status_code',
  'holdfast.event_type',
  'holdfast.gateway_status',
  'holdfast.outcome',
  'holdfast.provider',
  'holdfast.verdict',
];

function lineOf(span: CollectedSpan): string {
  const said = SAID.flatMap((key) => attributeOf(span, key) ?? []);
  return [`${KINDS[span.kind]} ${span.name}`, ...(said.length > 0 ? [said.join(' ')] : [])].join(': ');
}
