/** KEDA's external scaler: the same numbers for clusters whose external metrics API is KEDA's. */
import { setTimeout as delay } from "node:timers/promises";
import type { ScaledObjectRef } from "@vitrine/protocol/gen/keda/externalscaler";
import type { GrpcServer } from "@vitrine/protocol/grpc/server";
import { GET_METRIC_SPEC, GET_METRICS, IS_ACTIVE, STREAM_IS_ACTIVE } from "@vitrine/protocol/scaler-services";
import { ServeError } from "@vitrine/protocol/status";
import { type CountWork, type WorkQuery, workQuery } from "./waiting-work.js";

/** How often a stream of `external-push` looks again. */
const PUSH_EVERY_MS = 5000;

/** What the trigger of a ScaledObject says in its `metadata`. */
interface Trigger {
  readonly query: WorkQuery;
  /** Work that one pod may have. */
  readonly target: number;
  /** Active above it. */
  readonly activation: number;
}

/** Words of the trigger that are neither labels nor the query's. `scalerAddress` is KEDA's own. */
const OWN_WORDS: ReadonlySet<string> = new Set([
  "scalerAddress",
  "metric",
  "targetValue",
  "activationTargetValue",
]);

/** @throws {ServeError} REQUEST_INVALID that says which word of the trigger was wrong. */
function triggerOf({ namespace, scalerMetadata }: ScaledObjectRef): Trigger {
  const words = new Map([...scalerMetadata].filter(([key]) => !OWN_WORDS.has(key)));
  return {
    query: workQuery(namespace, scalerMetadata.get("metric") ?? "", words),
    target: numberOf(scalerMetadata, "targetValue", Number.MIN_VALUE),
    activation: scalerMetadata.has("activationTargetValue")
      ? numberOf(scalerMetadata, "activationTargetValue", 0)
      : 0,
  };
}

function numberOf(words: ReadonlyMap<string, string>, key: string, least: number): number {
  const text = words.get(key) ?? "";
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value) && value >= least) return value;
  throw new ServeError(
    "REQUEST_INVALID",
    `${key} was "${text}", expected a number${least > 0 ? " above 0" : ""}`,
  );
}

/** Answers KEDA's four calls. */
export function addExternalScaler(server: GrpcServer, countWork: CountWork): void {
  const isActive = async (ref: ScaledObjectRef, signal: AbortSignal): Promise<boolean> => {
    const { query, activation } = triggerOf(ref);
    return (await countWork(query, signal)) > activation;
  };
  server.unary(IS_ACTIVE, async (ref, { signal }) => ({ result: await isActive(ref, signal) }));
  server.serverStream(STREAM_IS_ACTIVE, async function* (ref, { signal }) {
    let last: boolean | undefined;
    while (!signal.aborted) {
      const result = await isActive(ref, signal);
      if (result !== last) yield { result };
      last = result;
      await delay(PUSH_EVERY_MS, undefined, { signal });
    }
  });
  server.unary(GET_METRIC_SPEC, (ref) => {
    const { query, target } = triggerOf(ref);
    const metricSpecs = [
      { metricName: query.metric, targetSize: BigInt(Math.ceil(target)), targetSizeFloat: target },
    ];
    return { metricSpecs };
  });
  server.unary(GET_METRICS, async ({ scaledObjectRef, metricName }, { signal }) => {
    if (scaledObjectRef === undefined) {
      throw new ServeError(
        "REQUEST_INVALID",
        "scaledObjectRef was missing, expected the object that is scaled",
      );
    }
    const value = await countWork(triggerOf(scaledObjectRef).query, signal);
    return {
      metricValues: [{ metricName, metricValue: BigInt(Math.ceil(value)), metricValueFloat: value }],
    };
  });
}
