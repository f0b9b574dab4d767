/** The worker thread: one picture at a time from bytes to tensor. */
import { parentPort, workerData } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import sharp from "sharp";
import { createBaselineDecoder } from "./pixels/jpeg-baseline.js";
import { preparePicture } from "./pixels/prepare.js";
import { resize } from "./pixels/resize.js";
import { createSimdResize } from "./pixels/resize-simd.js";
import type { WorkerJob, WorkerOptions, WorkerReply } from "./preprocess-messages.js";

if (parentPort === null)
  throw new Error("preprocess-worker was started as a program, expected a worker thread");
const port = parentPort;
const { maxPixels, abandoned }: WorkerOptions = workerData;

// One thread per picture: the pictures side by side fill the cores. No picture is ever decoded twice, so nothing to cache.
sharp.concurrency(1);
sharp.cache(false);

const options = { maxPixels, resize: createSimdResize() ?? resize, decodeBaseline: createBaselineDecoder() };

port.on("message", (job: WorkerJob) => {
  void answer(job);
});
post({ kind: "ready" });

async function answer({ id, bytes, plan }: WorkerJob): Promise<void> {
  const checkpoint = () => {
    if (Atomics.load(abandoned, 0) === id) throw new ServeError("CANCELLED", "request was abandoned");
  };
  try {
    const prepared = await preparePicture(bytes, plan, { ...options, checkpoint });
    const { tensor } = prepared;
    const data = isMovable(tensor.data) ? tensor.data : new Uint8Array(tensor.data);
    const moved = data.buffer instanceof ArrayBuffer ? [data.buffer] : [];
    post({ kind: "done", id, prepared: { ...prepared, tensor: { ...tensor, data } } }, moved);
  } catch (error) {
    if (error instanceof ServeError)
      post({ kind: "refused", id, reason: error.reason, message: error.message });
    else
      post({
        kind: "failed",
        id,
        stack: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
  }
}

/** Pixels that no step had to copy still lie in memory of sharp's or of the decoder's, which cannot be given away. */
function isMovable(data: Uint8Array | Float32Array): boolean {
  return !Buffer.isBuffer(data) && data.byteLength === data.buffer.byteLength;
}

function post(reply: WorkerReply, moved: ArrayBuffer[] = []): void {
  port.postMessage(reply, moved);
}
