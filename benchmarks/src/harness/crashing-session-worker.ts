/**
 * The real session worker, which dies on purpose: over its next run once the order to crash has reached it, and at its
 * load as long as a file `die-at-load-…` lies beside the model, of which each death takes one.
 */
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { BroadcastChannel, parentPort, workerData } from "node:worker_threads";

const { model }: { model: { file: string } } = workerData;
const folder = path.dirname(model.file);
const deadly = readdirSync(folder).find((name) => name.startsWith("die-at-load-"));
if (deadly !== undefined) {
  rmSync(path.join(folder, deadly), { force: true });
  process.exit(1);
}

let deathsWanted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
const orders = new BroadcastChannel("crash");
orders.onmessage = (order: { readonly data: Int32Array<SharedArrayBuffer> }): void => {
  deathsWanted = order.data;
};
orders.unref();
// Before the worker's own listener, so that the run it is given is lost with it.
parentPort?.on("message", () => {
  if (Atomics.sub(deathsWanted, 0, 1) > 0) process.exit(1);
});
await import("@vitrine/model-server/engine/session-worker");
