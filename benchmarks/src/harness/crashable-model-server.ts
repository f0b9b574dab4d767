/** A model server on free ports whose session workers each die over their next run at every SIGUSR2. */
import { serveSettings } from "@vitrine/model-server/config";
import { startModelServer } from "@vitrine/model-server/main";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { resolveSettings } from "@vitrine/runtime/settings";

const [basePath = ""] = process.argv.slice(2);
const { config } = resolveSettings(serveSettings, {
  flags: { modelBasePath: basePath, port: "auto", restApiPort: "auto", host: "127.0.0.1", logLevel: "error" },
  env: {},
});
const server = await startModelServer(config, {
  logger: createLogger({ name: "model-server", level: "error", stream: process.stderr }),
  metrics: createMetrics("model-server", "benchmark"),
  workerUrl: new URL("./crashing-session-worker.js", import.meta.url),
});
const orders = new BroadcastChannel("crash");
process.on("SIGUSR2", () => orders.postMessage("crash"));
process.on("SIGTERM", () => {
  orders.close();
  void server.drain(5000).then(() => process.exit());
});
console.log(`ready ${server.grpcPort} ${server.restPort}`);
