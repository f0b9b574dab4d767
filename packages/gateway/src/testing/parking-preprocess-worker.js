/**
 * A preprocess worker for tests. Each job says on the channel `plan.channel` that it has begun and parks until
 * `plan.gate[0]` is not 0. Its tensor is [length of the bytes, whether the job was abandoned].
 */
import { BroadcastChannel, parentPort, workerData } from "node:worker_threads";

parentPort.on("message", ({ id, bytes, plan }) => {
  if (plan.ending === "exit") process.exit(3);
  if (plan.ending === "throw") throw new Error("the worker broke");
  const channel = new BroadcastChannel(plan.channel);
  channel.postMessage(bytes.length);
  Atomics.wait(plan.gate, 0, 0);
  channel.close();
  const wasAbandoned = Atomics.load(workerData.abandoned, 0) === id;
  const tensor = { dtype: 1, shape: [1, 1, 1, 2], data: Float32Array.of(bytes.length, wasAbandoned ? 1 : 0) };
  const prepared = { tensor, width: 1, height: 1, format: "jpeg", decodeMs: 0, resizeMs: 0 };
  parentPort.postMessage({ kind: "done", id, prepared });
});
parentPort.postMessage({ kind: "ready" });
