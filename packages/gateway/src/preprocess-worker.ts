/** The worker thread: one picture at a time from bytes to tensor, or to a file of our own making. */
import { parentPort, workerData } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import sharp from "sharp";
import { createBaselineDecoder } from "./pixels/jpeg-baseline.js";
import { makePictureFile } from "./pixels/picture-file.js";
import { preparePicture } from "./pixels/prepare.js";
import { resize } from "./pixels/resize.js";
import { createSimdResize } from "./pixels/resize-simd.js";
import { createTableKernel } from "./pixels/table-kernel.js";
import type { TensorJob, WorkerJob, WorkerOptions, WorkerReply } from "./preprocess-messages.js";

if (parentPort === null)
  throw new Error("preprocess-worker was started as a program, expected a worker thread");
const port = parentPort;
const { maxPixels, abandoned }: WorkerOptions = workerData;

// One thread per picture: the pictures side by side fill the cores. No picture is ever decoded twice, so nothing to cache.
sharp.concurrency(1);
sharp.cache(false);

const options = { maxPixels, resize: createSimdResize() ?? resize, decodeBaseline: createBaselineDecoder() };

const fillRows = createTableKernel();

port.on("message", (job: WorkerJob) => {
  void answer(job);
});
post({ kind: "ready" });

async function answer(job: WorkerJob): Promise<void> {
  const { id } = job;
  try {
    if (job.kind === "file") {
      const file = await makePictureFile(job.bytes, job.wish, { ...options, checkpoint: checkpointOf(id) });
      post({ kind: "made", id, file }, [file.bytes.buffer]);
    } else await prepare(job);
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

/** Throws when the job was given up. */
function checkpointOf(id: number): () => void {
  return () => {
    if (Atomics.load(abandoned, 0) === id) throw new ServeError("CANCELLED", "request was abandoned");
  };
}

async function prepare({ id, bytes, memory, plan }: TensorJob): Promise<void> {
  const allocateFloats = (length: number) => new Float32Array(sharedMemory(memory, 4 * length), 0, length);
  const prepared = await preparePicture(bytes, plan, {
    ...options,
    memory: { allocateFloats, fillRows },
    checkpoint: checkpointOf(id),
  });
  const { tensor } = prepared;
  const data = shared(tensor.data, memory);
  post({ kind: "done", id, prepared: { ...prepared, tensor: { ...tensor, data } } });
}

/**
 * The tensor goes to the main thread in shared memory, which is used again for another picture: new memory of some
 * 100 KB per picture costs page faults here, and there a collection of the whole heap every few dozen pictures.
 */
function sharedMemory(memory: SharedArrayBuffer | undefined, bytes: number): SharedArrayBuffer {
  return memory !== undefined && memory.byteLength >= bytes ? memory : new SharedArrayBuffer(bytes);
}

function shared(
  data: Uint8Array | Float32Array,
  memory: SharedArrayBuffer | undefined,
): Uint8Array | Float32Array {
  if (data.buffer instanceof SharedArrayBuffer) return data;
  const { byteLength } = data;
  const copy = new Uint8Array(sharedMemory(memory, byteLength), 0, byteLength);
  copy.set(new Uint8Array(data.buffer, data.byteOffset, byteLength));
  return data instanceof Float32Array ? new Float32Array(copy.buffer, 0, data.length) : copy;
}

function post(reply: WorkerReply, moved: readonly ArrayBuffer[] = []): void {
  port.postMessage(reply, moved);
}
