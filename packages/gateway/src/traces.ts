/** Spans of requests, for those who run an OpenTelemetry collector. Loaded only where one is named. */
import {
  type Context,
  DiagLogLevel,
  diag,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "@vitrine/runtime/logger";
import type { BeginTrace, RequestTrace } from "./request-trace.js";

export interface TracesOptions {
  /** Of the collector, without `/v1/traces`. */
  readonly endpoint: string;
  /** Part of the traces that begin here which is recorded, 0 to 1; a caller's own trace goes by the caller's flag. */
  readonly sampleRatio: number;
  readonly version: string;
  readonly logger: Logger;
}

export interface Traces {
  readonly begin: BeginTrace;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Spans are sent by OTLP over HTTP with JSON, in batches; a collector that is away costs spans, never requests. */
export function startTraces({ endpoint, sampleRatio, version, logger }: TracesOptions): Traces {
  const warn = (message: string): void => logger.warn({ detail: message }, "traces");
  const ignore = (): void => {};
  diag.setLogger(
    { error: warn, warn, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "vitrine-gateway", "service.version": version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("vitrine-gateway", version);

  function begin(name: string, caller: Readonly<Record<string, string>>): RequestTrace {
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, contextOf(caller));
    const context = trace.setSpan(ROOT_CONTEXT, span);
    return {
      headers: { ...caller, ...traceparentOf(span) },
      stage(stage, durationMs) {
        const endTime = Date.now();
        tracer
          .startSpan(stage, { kind: SpanKind.INTERNAL, startTime: endTime - durationMs }, context)
          .end(endTime);
      },
      end({ method, route, status, failure }) {
        span.updateName(`${method} ${route}`);
        span.setAttributes({
          "http.request.method": method,
          "http.route": route,
          "http.response.status_code": status,
        });
        if (failure !== undefined) span.setAttribute("error.type", failure.reason);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  return {
    begin,
    // What the collector does not take is lost; the process ends all the same.
    close: () => provider.shutdown().catch((error: unknown) => warn(String(error))),
  };
}

/** Source of the form: W3C Trace Context. `caller` was checked to be one. */
function contextOf({ traceparent }: Readonly<Record<string, string>>): Context {
  const [, traceId = "", spanId = "", flags = ""] = traceparent?.split("-") ?? [];
  const parent = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
  };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

function traceparentOf(span: Span): { traceparent: string } {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}` };
}
