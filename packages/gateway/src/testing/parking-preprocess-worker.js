// A preprocess worker that parks on its first job until the test lets it go, and then answers with 1x1 tensors.
import { parentPort, workerData } from "node:worker_threads";

const { abandoned } = workerData;
parentPort.on("message", ({ id, bytes, plan }) => {
  if (plan.filter === "nearest") process.exit(3);
  if (plan.filter === "box") throw new Error("the worker broke");
  // The second number of the gate says how many jobs have parked; the first opens it.
  const gate = new Int32Array(globalThis.gate);
  Atomics.add(gate, 1, 1);
  Atomics.notify(gate, 1);
  Atomics.wait(gate, 0, 0);
  const tensor = {
    dtype: 4,
    shape: [1, 1, 1, 3],
    data: new Uint8Array([bytes.length % 256, Atomics.load(abandoned, 0) === id ? 1 : 0, 0]),
  };
  parentPort.postMessage(
    { kind: "done", id, prepared: { tensor, width: 1, height: 1, format: "jpeg", decodeMs: 0, resizeMs: 0 } },
    [tensor.data.buffer],
  );
});
parentPort.postMessage({ kind: "ready" });
