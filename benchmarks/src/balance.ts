/**
 * A gateway before three model servers behind one name: how even the spread is, and what a server that comes, dies or
 * becomes slow costs under load.
 *
 * The model servers are processes that answer four requests at a time, 20 ms each, on addresses of their own (Linux has
 * all of 127.0.0.0/8); the gateway runs in this process, with a lookup of its own for the name.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { gatewaySettings } from "@vitrine/gateway/config";
import { startGateway } from "@vitrine/gateway/main";
import { createLogger } from "@vitrine/runtime/logger";
import { resolveSettings } from "@vitrine/runtime/settings";
import { type LoadAnswer, runLoad } from "./harness/http-load.js";
import { smallPhotos } from "./harness/photos.js";
import { type MeasuredProcess, startReady } from "./harness/processes.js";
import { percentile } from "./harness/statistics.js";

const CLIENTS = 12;
const PHASE_MS = 6000;
const DELAY_MS = 20;
const PARALLEL = 4;
const VERSION_FOLDER = fileURLToPath(new URL("../../models/clothing-model/2", import.meta.url));
const SERVER = fileURLToPath(new URL("harness/slow-model-server.js", import.meta.url));

interface ModelServer {
  readonly address: string;
  readonly process: MeasuredProcess;
  tell(line: string): void;
  /** Requests answered since the last time. */
  count(): Promise<number>;
}

async function startServer(address: string, port: string): Promise<ModelServer> {
  const process_ = await startReady([
    process.execPath,
    ...[SERVER, VERSION_FOLDER, address, port, String(DELAY_MS), String(PARALLEL)],
  ]);
  const { stdin, stdout } = process_.child;
  if (stdin === null || stdout === null) throw new Error("no pipes");
  const lines = createInterface({ input: stdout });
  const tell = (line: string): void => void stdin.write(`${line}\n`);
  return {
    address,
    process: process_,
    tell,
    async count() {
      tell("count");
      const [line] = await once(lines, "line");
      return Number(String(line).split(" ")[1]);
    },
  };
}

const first = await startServer("127.0.0.2", "0");
const port = first.process.ready;
const servers = [first, await startServer("127.0.0.3", port), await startServer("127.0.0.4", port)];
let names = servers.map(({ address }) => address);
const { config } = resolveSettings(gatewaySettings, {
  flags: { host: "127.0.0.1", port: "0", tfServingHost: `model-servers:${port}`, resolveMs: "1000" },
  env: {},
});
const gateway = await startGateway(config, {
  logger: createLogger({ name: "gateway", level: "fatal", stream: process.stderr }),
  version: "0",
  lookup: async () => names,
});
await gateway.ready;
const { photos } = await smallPhotos(20);

try {
  await phase("warm-up");
  await phase("three servers");
  servers.push(await startServer("127.0.0.5", port));
  names = servers.map(({ address }) => address);
  await phase("a fourth is added at the start of this phase");
  await phase("four servers");
  const dying = servers.splice(1, 1)[0];
  const killed = setTimeout(() => dying?.process.child.kill("SIGKILL"), PHASE_MS / 3);
  await phase("one is killed (SIGKILL), its address stays in the name");
  clearTimeout(killed);
  await phase("three servers and a dead address");
  servers[0]?.tell(`delay ${10 * DELAY_MS}`);
  await phase("one of the three takes ten times as long");
  servers[0]?.tell(`delay ${DELAY_MS}`);
  await phase("it is quick again");
} finally {
  await gateway.drain(1000);
  for (const { process: each } of servers) await each.stop();
}

async function phase(name: string): Promise<void> {
  const answers: LoadAnswer[] = await runLoad({
    url: gateway.url,
    concurrency: CLIENTS,
    signal: AbortSignal.timeout(PHASE_MS),
    requestOf: (index) => ({
      path: "/predict",
      body: photos[index % photos.length] ?? new Uint8Array(0),
      contentType: "image/jpeg",
    }),
  });
  const counts = await Promise.all(servers.map((server) => server.count()));
  const failed = answers.filter(({ status }) => status !== 200).length;
  const durations = answers.map(({ durationMs }) => durationMs);
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const shares = counts.map((count) => `${((count / mean - 1) * 100).toFixed(0)} %`);
  console.log(
    `${name}: ${failed} of ${answers.length} failed, p50 ${percentile(durations, 0.5).toFixed(0)} ms, ` +
      `p99 ${percentile(durations, 0.99).toFixed(0)} ms; servers ${counts.join(", ")} (${shares.join(", ")} off the mean)`,
  );
}
