/** The real session worker, which dies over its next run once the order to crash has reached it. */
import { parentPort } from "node:worker_threads";

let deathsWanted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
const orders = new BroadcastChannel("crash");
orders.onmessage = (order: MessageEvent): void => {
  deathsWanted = order.data;
};
orders.unref();
// Before the worker's own listener, so that the run it is given is lost with it.
parentPort?.on("message", () => {
  if (Atomics.sub(deathsWanted, 0, 1) > 0) process.exit(1);
});
await import("@vitrine/model-server/session-worker");
