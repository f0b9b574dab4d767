/** `vitrine scaler`: what Kubernetes' autoscalers ask, so that they scale on waiting requests. */
import { drainGraceSetting, runTier } from "@vitrine/runtime/lifecycle";
import { createLogger } from "@vitrine/runtime/logger";
import { scalerSettings } from "@vitrine/scaler/config";
import { defineCommand } from "../command.js";
import { packageVersion } from "../version.js";

export const scalerCommandSettings = { ...scalerSettings, drainGraceMs: drainGraceSetting };

export const scaler = defineCommand({
  name: "scaler",
  description: `Adds up a gauge of /metrics, such as vitrine_model_server_waiting_requests, over the pods of a headless Service, and
answers it as Kubernetes' external metrics API (HTTPS, to the API server alone) and as KEDA's external scaler (gRPC). Made
for a pod, whose account tells it how the API server proves itself and which namespace it may be asked about.`,
  examples: [
    ["vitrine scaler", "in a pod: HTTPS on 8443, gRPC on 9090, probes and its own metrics on 8080"],
    ["vitrine scaler --tls-cert-file tls.crt --tls-key-file tls.key", "with a certificate of the cluster's"],
    ["vitrine scaler --namespace shop --requestheader-client-ca-file front-proxy-ca.crt", "outside of a pod"],
  ],
  settings: scalerCommandSettings,
  async run({ config }, io) {
    const { startScaler } = await import("@vitrine/scaler/main");
    const logger = createLogger({ name: "scaler", level: config.logLevel, stream: io.stderr });
    const version = await packageVersion();
    return await runTier("scaler", () => startScaler(config, { logger, version }), io, {
      graceMs: config.drainGraceMs,
    });
  },
});
