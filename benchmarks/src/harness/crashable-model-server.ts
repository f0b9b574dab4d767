/** A model server on free ports. At SIGUSR2 one of its session workers dies over its next run, at SIGHUP each of them. */
import { availableParallelism } from "node:os";
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
process.on("SIGUSR2", () => order(1));
process.on("SIGHUP", () => order(availableParallelism()));
process.on("SIGTERM", () => {
  orders.close();
  void server.drain(5000).then(() => process.exit());
});
/** The workers share the count: whichever is given a run first takes a death from it. */
function order(deaths: number): void {
  const deathsWanted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  deathsWanted[0] = deaths;
  orders.postMessage(deathsWanted);
}

console.log(`ready ${server.grpcPort} ${server.restPort}`);
