/**
 * A session worker whose runs take a known time and no CPU: it waits. So a machine of any number of cores can be
 * simulated on a small one. The model's file name says the milliseconds of a run: `20ms`.
 */
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { begin, type RunClaim, sharedNow } from "@vitrine/model-server/engine/run-claim";

const { model }: { model: { file: string } } = workerData;
const costMs = Number.parseInt(path.basename(model.file), 10);
const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

parentPort?.on("message", ({ feeds, claim }: { feeds: unknown; claim: RunClaim | undefined }) => {
  if (claim !== undefined && !begin(claim)) {
    parentPort?.postMessage({ kind: "called-back", spares: [] });
    return;
  }
  const startedAt = sharedNow();
  Atomics.wait(never, 0, 0, costMs);
  parentPort?.postMessage({ kind: "result", outputs: feeds, startedAt, endedAt: sharedNow(), spares: [] });
});
const value = { name: "x", type: "float32", shape: ["rows"] };
parentPort?.postMessage({ kind: "loaded", metadata: { inputs: [value], outputs: [value] } });
