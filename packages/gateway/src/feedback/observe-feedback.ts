/** What the gateway tells of corrections. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { FeedbackStore } from "./feedback-store.js";

/** @returns to be told of each correction kept: whether it agrees with the model, undefined where that is not known. */
export function createFeedbackMetrics(
  registry: Registry,
  store: Pick<FeedbackStore, "bytes">,
): (agrees: boolean | undefined) => void {
  const registers = [registry];
  const given = new Counter({
    name: "vitrine_gateway_feedback_total",
    help: "Corrections kept, by whether the person agrees with the model; unknown: the sender did not say what it had answered",
    labelNames: ["agrees"],
    registers,
  });
  new Gauge({
    name: "vitrine_gateway_feedback_bytes",
    help: "Bytes of the pictures and records kept as corrections, counted against feedback-max-bytes",
    registers,
    collect() {
      this.set(store.bytes);
    },
  });
  return (agrees) => given.inc({ agrees: agrees === undefined ? "unknown" : String(agrees) });
}
