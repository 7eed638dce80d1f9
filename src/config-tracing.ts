/**
 * Pure: where traces are exported to, by OpenTelemetry's own names
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Without an endpoint nothing is recorded and nothing is sent.
 * Part of `config.ts`, which is the only caller.
 */
import { z } from 'zod';

/**
 * The share of new traces that are sampled, unless it is set. In live mode one in ten: telling of payments must cost far less
 * than a tenth of the throughput (decisions 0061, 0065). In the sandbox all: somebody looks at each.
 */
export const TRACES_RATIO_DEFAULT = { sandbox: 1, live: 0.1 } as const;

export interface TracingConfig {
  /** Of the traces: the endpoint with `/v1/traces`. */
  readonly url: string;
  /** May hold a secret: never logged. */
  readonly headers: Readonly<Record<string, string>>;
}

/** `name=value,name=value`, values percent-encoded: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables */
const headersSchema = z.string().transform((text, context): Record<string, string> => {
  const headers = new Headers();
  try {
    for (const pair of text.split(',').filter((part) => part.trim() !== '')) {
      const [, name = '', value = ''] = /^\s*([^=\s]+)\s*=(.*)$/.exec(pair) ?? [];
      headers.set(name, decodeURIComponent(value.trim()));
    }
  } catch {
    // What `Headers` or the decoding refuses: told by the variable's name, since its value may be a secret.
    context.addIssue({ code: 'custom', message: 'Must be a list of name=value.' });
  }
  return Object.fromEntries(headers);
});

export const tracingVarsSchema = z.object({
  /** The collector's base address. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Secret where it authenticates us. */
  OTEL_EXPORTER_OTLP_HEADERS: headersSchema.optional(),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(?:0?\.\d+|[01](?:\.0+)?)$/)
    .transform(Number)
    .optional(),
});
export type TracingVars = z.infer<typeof tracingVarsSchema>;

/** Undefined: no endpoint, no tracing. */
export function tracingConfigOf(vars: TracingVars): TracingConfig | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = {} } = vars;
  if (endpoint === undefined) return undefined;
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  return { url, headers };
}
