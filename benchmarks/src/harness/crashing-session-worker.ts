/** The real session worker, which dies over its next run once it is told to crash. */
import { parentPort } from "node:worker_threads";

let isDoomed = false;
const orders = new BroadcastChannel("crash");
orders.onmessage = (): void => {
  isDoomed = true;
};
orders.unref();
// Before the worker's own listener, so that the run it is given is lost with it.
parentPort?.on("message", () => {
  if (isDoomed) process.exit(1);
});
await import("@vitrine/model-server/session-worker");
