/** How much of something there is in all pods of a Service together. */
import { lookup as systemLookup } from "node:dns/promises";
import { get } from "node:http";
import { ServeError } from "@vitrine/protocol/status";
import { withDeadline } from "@vitrine/runtime/deadline";
import { type MetricSum, readMetric } from "@vitrine/runtime/metrics-text";
import type { Counter } from "prom-client";

/** What an autoscaler asks for: the sum of one gauge over the pods behind a headless Service. */
export interface WorkQuery {
  readonly namespace: string;
  readonly service: string;
  /** Of the pods' `/metrics`. */
  readonly port: number;
  readonly metric: string;
  /** Labels that a sample must have, such as `model`. */
  readonly labels: ReadonlyMap<string, string>;
}

export interface WorkCounterOptions {
  /** Those that may be asked about. */
  readonly namespaces: ReadonlySet<string>;
  readonly clusterDomain: string;
  readonly timeoutMs: number;
  /** Told of each pod that was asked and did not answer in time, or not sensibly. */
  failed(address: string, error: unknown): void;
  readonly failures: Pick<Counter, "inc">;
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

/**
 * @throws {ServeError} MODEL_UNAVAILABLE when less than half of the pods say it: an autoscaler then takes none away.
 *   REQUEST_INVALID with PERMISSION_DENIED for another namespace; with INVALID_ARGUMENT when there are samples, and none
 *   has the labels asked for: a word that was misspelt must not look like idleness.
 */
export type CountWork = (query: WorkQuery, signal: AbortSignal) => Promise<number>;

/** A tier's /metrics has some tens of kilobytes. */
const MAX_METRICS_BYTES = 8 * 1024 * 1024;

const NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const METRIC = /^[a-zA-Z_:][\w:]*$/;

const lookupAll = async (host: string): Promise<string[]> =>
  (await systemLookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/**
 * Reads a query from the words that an autoscaler's manifest holds.
 *
 * @param words `service` and `port` say where; what else there is are labels that a sample must have.
 * @throws {ServeError} REQUEST_INVALID that says which word was wrong.
 */
export function workQuery(namespace: string, metric: string, words: ReadonlyMap<string, string>): WorkQuery {
  const { service = "", port = "" } = Object.fromEntries(words);
  if (!NAME.test(namespace)) throw invalid("namespace", namespace, "a Kubernetes namespace");
  if (!METRIC.test(metric)) throw invalid("metric", metric, "the name of a gauge of /metrics");
  if (!NAME.test(service))
    throw invalid("service", service, "the name of a headless Service in the namespace");
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw invalid("port", port, "the port of the pods' /metrics");
  }
  const labels = new Map([...words].filter(([key]) => key !== "service" && key !== "port"));
  return { namespace, service, port: Number(port), metric, labels };
}

function invalid(what: string, was: string, expected: string): ServeError {
  return new ServeError("REQUEST_INVALID", `${what} was "${was}", expected ${expected}`);
}

/**
 * Makes the function that asks every pod of a Service for its part and adds them up. It keeps nothing: each question is
 * answered by the pods that are ready at that moment.
 */
export function createWorkCounter(options: WorkCounterOptions): CountWork {
  const { namespaces, clusterDomain, timeoutMs, failed, failures, lookup = lookupAll } = options;

  async function addresses({ service, namespace }: WorkQuery): Promise<readonly string[]> {
    const host = `${service}.${namespace}.svc.${clusterDomain}`;
    try {
      return await lookup(host);
    } catch (cause) {
      throw new ServeError(
        "MODEL_UNAVAILABLE",
        `${host} was not found, expected a headless Service with ready pods`,
        {
          cause,
        },
      );
    }
  }

  async function partOf(
    address: string,
    query: WorkQuery,
    signal: AbortSignal,
  ): Promise<MetricSum | undefined> {
    try {
      const text = await fetchMetrics(address, query.port, signal);
      const part = readMetric(text, query.metric, query.labels);
      if (part === undefined) throw new Error(`its /metrics has no ${query.metric}`);
      return part;
    } catch (error) {
      failures.inc();
      failed(address, error);
      return undefined;
    }
  }

  return async (query, caller) => {
    if (!namespaces.has(query.namespace)) {
      throw new ServeError(
        "REQUEST_INVALID",
        `namespace was "${query.namespace}", expected ${[...namespaces].join(" or ")} (--namespace)`,
        { code: "PERMISSION_DENIED" },
      );
    }
    const pods = await addresses(query);
    const parts = await withDeadline(timeoutMs, caller, (limit) =>
      Promise.all(pods.map((address) => partOf(address, query, limit))),
    );
    const answered = parts.filter((part) => part !== undefined);
    // A server that is too busy to answer has work, too: it counts as much as the others have on average.
    if (answered.length > 0 && answered.length * 2 >= pods.length) {
      // One pod without a match may have yet to load the model. No pod with one, though there are samples, is a misspelling.
      if (answered.some(({ samples }) => samples > 0) && answered.every(({ matching }) => matching === 0)) {
        const labels = [...query.labels].map(([key, value]) => `${key}=${value}`).join();
        throw invalid("labels", labels, `those of a sample of ${query.metric} in ${query.service}`);
      }
      return (answered.reduce((total, { sum }) => total + sum, 0) * pods.length) / answered.length;
    }
    throw new ServeError(
      "MODEL_UNAVAILABLE",
      `${answered.length} of ${pods.length} pods of ${query.service} in ${query.namespace} answered ${query.metric} on port ${query.port}, expected half of them at least`,
    );
  };
}

function fetchMetrics(host: string, port: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path: "/metrics", signal, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        response.destroy();
        return reject(new Error(`/metrics was answered with ${response.statusCode}, expected 200`));
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_METRICS_BYTES)
          response.destroy(new Error(`/metrics was longer than ${MAX_METRICS_BYTES} bytes`));
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}
