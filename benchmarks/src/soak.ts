/**
 * Whether a model server gives memory back: 50 times a new version of the clothing model takes the place of the last
 * while requests arrive, 100,000 in all, most for a tiny model beside it. Prints the memory after the first 1,000
 * requests, the peak, and the end. `soak RELOADS REQUESTS` for other numbers.
 */
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { GET_MODEL_STATUS, PREDICT } from "@vitrine/protocol/services";
import { DataType, tensorToProto } from "@vitrine/protocol/tensor";
import { residentMiB, startVitrine } from "./harness/processes.js";

const [reloads = 50, requests = 100_000] = process.argv.slice(2).map(Number);
const FIRST_REQUESTS = 1000;
const CONCURRENCY = 8;
/** Requests to the clothing model between two reloads: enough for each of its sessions. */
const PICTURES = 12;
const SIZE = 256;
const STATE_AVAILABLE = 30;
const STATE_END = 50;
const SHIPPED = fileURLToPath(new URL("../../models/clothing-model/", import.meta.url));
const TINY = fileURLToPath(new URL("../../packages/model-server/fixtures/pixel-sum", import.meta.url));

const folder = await mkdtemp(path.join(tmpdir(), "vitrine-soak-"));
const clothing = path.join(folder, "clothing");
await mkdir(clothing);
await publish(1);
const list = [
  ["clothing", clothing],
  ["tiny", TINY],
].map(([name, base]) => `config { name: "${name}" base_path: "${base}" model_platform: "onnx" }`);
const configFile = path.join(folder, "models.config");
await writeFile(configFile, `model_config_list { ${list.join(" ")} }`);
const server = await startVitrine([
  ...["serve", `--model_config_file=${configFile}`, "--host=127.0.0.1", "--log-level=warn"],
  ...["--port=auto", "--rest_api_port=0", "--admin-port=0"],
]);
const channel = new GrpcChannel("127.0.0.1", Number(new URL(server.ready.split(" ")[0] ?? "").port));
let failed = 0;
let sent = 0;

await send("clothing", PICTURES);
await send("tiny", FIRST_REQUESTS - PICTURES);
const baseline = await settledMiB();
let peak = baseline;
console.log(`after ${sent} requests: ${baseline.toFixed(1)} MiB`);
const perReload = Math.ceil((requests - sent) / reloads) - PICTURES;
for (let reload = 1; reload <= reloads; reload++) {
  const swapped = swapTo(reload + 1);
  await send("tiny", perReload);
  await swapped;
  await send("clothing", PICTURES);
  const now = await residentMiB(server.pid);
  peak = Math.max(peak, await highWaterMiB(server.pid));
  if (reload % 5 === 0) console.log(`reload ${reload}, ${sent} requests: ${now.toFixed(1)} MiB`);
}
const end = await settledMiB();
console.log(`after ${reloads} reloads and ${sent} requests, ${failed} failed:`);
console.log(
  `  ${end.toFixed(1)} MiB, ${((end / baseline - 1) * 100).toFixed(1)} % over the ${baseline.toFixed(1)} MiB after the first ${FIRST_REQUESTS}`,
);
console.log(`  peak ${peak.toFixed(1)} MiB, while two versions are loaded`);
await rm(path.join(clothing, String(reloads + 1)), { recursive: true });
await untilState(reloads + 1, STATE_END);
console.log(`  ${(await settledMiB()).toFixed(1)} MiB with the clothing model unloaded`);
channel.close();
await server.stop();
await rm(folder, { recursive: true });
process.exitCode = failed === 0 && end <= baseline * 1.1 ? 0 : 1;

/** The float32 model as a new version, by rename. */
async function publish(version: number): Promise<void> {
  const staging = path.join(folder, "staging");
  await cp(path.join(SHIPPED, "1"), staging, { recursive: true, preserveTimestamps: true });
  await rename(staging, path.join(clothing, String(version)));
}

async function swapTo(version: number): Promise<void> {
  await publish(version);
  await untilState(version, STATE_AVAILABLE);
  await untilState(version - 1, STATE_END);
  await rm(path.join(clothing, String(version - 1)), { recursive: true });
}

async function untilState(version: number, wanted: number): Promise<void> {
  for (;;) {
    const { modelVersionStatus } = await channel.unary(GET_MODEL_STATUS, {
      modelSpec: { name: "clothing", versionChoice: undefined, signatureName: "" },
    });
    const status = modelVersionStatus.find((candidate) => candidate.version === version);
    if (status?.state === wanted) return;
    if (status?.state === STATE_END) throw new Error(`version ${version}: ${status.status?.errorMessage}`);
    await sleep(100);
  }
}

async function send(model: "clothing" | "tiny", count: number): Promise<void> {
  const size = model === "clothing" ? SIZE : 2;
  const data = new Uint8Array(size * size * 3).fill(127);
  const tensor = tensorToProto({ dtype: DataType.DT_UINT8, shape: [1, size, size, 3], data }, "content");
  const request = {
    modelSpec: { name: model, versionChoice: undefined, signatureName: "" },
    inputs: new Map([["pixels", tensor]]),
    outputFilter: [],
  };
  let left = count;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      sent++;
      await channel.unary(PREDICT, request).catch((error: unknown) => {
        failed++;
        if (failed === 1) console.error(error);
      });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}

/** Memory when nothing has happened for two seconds. */
async function settledMiB(): Promise<number> {
  await sleep(2000);
  return residentMiB(server.pid);
}

async function highWaterMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
