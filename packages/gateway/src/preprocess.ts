/** Pictures to tensors, or to files of our own making, in worker threads, so that the event loop stays free. */
import { Worker } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import { abortError } from "./deadline.js";
import type { PictureFile, PictureWish } from "./pixels/picture-file.js";
import { readPictureHeader } from "./pixels/picture-header.js";
import type { Preprocessed } from "./pixels/prepare.js";
import { pixelsInWorks } from "./preprocess-bounds.js";
import type { WorkerJob, WorkerOptions, WorkerReply } from "./preprocess-messages.js";
import type { PreprocessPlan } from "./preprocess-plan.js";

export interface PreprocessorOptions {
  /** Worker threads; each prepares one picture at a time. As many as cores keep them all busy. */
  readonly workers: number;
  /** Most pixels, width x height, of one picture. */
  readonly maxPixels: number;
  /** Most of an AVIF, which takes more memory for each; those of other kinds unless it is given. */
  readonly maxAvifPixels?: number;
  /**
   * Most pixels of all pictures in the works, each counted as the larger of what it is and what it is made into, which bounds
   * memory: about 7 bytes per pixel of a picture, 15 of a float tensor. One that alone is larger is prepared when nothing else is.
   */
  readonly maxPixelsInFlight?: number;
  /** The worker's script; tests put another in its place. Not .ts: Node 20 cannot load it in a worker. */
  readonly workerUrl?: URL;
  /** Told of each worker that died, for the log. */
  workerLost?(error: Error): void;
  /** Told of each picture for which the contract's decoder could not be had, and another was used. */
  approximated?(prepared: Preprocessed): void;
}

export interface Preprocessor {
  /**
   * Prepares one picture as planned.
   *
   * @param bytes  copied before the work begins.
   * @param signal aborts the wait at once, with its reason; what has begun is given up between two steps.
   * @throws {ServeError} IMAGE_TYPE_UNSUPPORTED, IMAGE_TOO_MANY_PIXELS, IMAGE_UNDECODABLE; DEADLINE_EXCEEDED or
   *   CANCELLED; WORKER_LOST when the thread died over it; DRAINING after `close`.
   */
  preprocess(bytes: Uint8Array, plan: PreprocessPlan, signal: AbortSignal): Promise<Preprocessed>;
  /**
   * Takes back the memory of a tensor that nobody reads any more, for the next picture. Who forgets it costs time,
   * nothing else. A call that was given up may still send it: what it sends then is never used.
   */
  recycle(tensor: Tensor): void;
  /**
   * Makes a picture file of a picture's bytes, in the same queue and under the same bounds as {@link preprocess}.
   *
   * @throws {ServeError} as {@link preprocess} does.
   */
  makeFile(bytes: Uint8Array, wish: PictureWish, signal: AbortSignal): Promise<PictureFile>;
  /** Fails what is under way and ends the threads. */
  close(): Promise<void>;
}

/** What a worker answers to a job that it has done. */
type Done = Extract<WorkerReply, { kind: "done" | "made" }>;

interface Job {
  readonly id: number;
  readonly pixels: number;
  /** The message of it, with a copy of the picture in the memory given. */
  messageOf(bytes: Uint8Array): WorkerJob;
  readonly bytes: Uint8Array;
  /** Each settles the caller's promise and stops listening to its signal; both do nothing the second time. */
  resolve(reply: Done): void;
  reject(error: unknown): void;
}

interface PictureWorker {
  readonly thread: Worker;
  readonly abandoned: Int32Array;
  isReady: boolean;
  job: Job | undefined;
  /** Why it is about to end, when that is known before its exit. */
  cause: Error | undefined;
}

/** One in the works, and those whose predictions are under way. */
const SPARES_PER_WORKER = 8;

/** An AVIF takes 18 bytes per pixel where others take 7 (both measured). */
const AVIF_WEIGHT = 3;

const DEFAULT_MAX_PIXELS_IN_FLIGHT = 64_000_000;

/** Starts the threads; pictures wait until the first is ready. */
export function createPreprocessor(options: PreprocessorOptions): Preprocessor {
  const maxPixelsInFlight = options.maxPixelsInFlight ?? DEFAULT_MAX_PIXELS_IN_FLIGHT;
  const workerUrl = options.workerUrl ?? new URL("./preprocess-worker.js", import.meta.url);
  const workers = new Set<PictureWorker>();
  const queue: Job[] = [];
  const spares: SharedArrayBuffer[] = [];
  let lastId = 0;
  let isClosed = false;

  function start(): void {
    const abandoned = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const workerData: WorkerOptions = { maxPixels: options.maxPixels, abandoned };
    const thread = new Worker(workerUrl, { workerData, name: "preprocess" });
    const worker: PictureWorker = { thread, abandoned, isReady: false, job: undefined, cause: undefined };
    workers.add(worker);
    thread.on("message", (reply: WorkerReply) => {
      receive(worker, reply);
      dispatch();
    });
    thread.on("error", (error) => {
      worker.cause = error;
    });
    thread.on("exit", (code) => bury(worker, code));
  }

  /** A worker that never became ready is not replaced before the next picture asks for it: a crash loop costs a thread a picture. */
  function bury(worker: PictureWorker, exitCode: number): void {
    workers.delete(worker);
    if (isClosed) return;
    const error = worker.cause ?? new Error(`preprocess worker exited with code ${exitCode}`);
    options.workerLost?.(error);
    worker.job?.reject(workerLost(error));
    if (worker.isReady) start();
    if (workers.size === 0) for (const job of queue.splice(0)) job.reject(workerLost(error));
    dispatch();
  }

  function receive(worker: PictureWorker, reply: WorkerReply): void {
    if (reply.kind === "ready") {
      worker.isReady = true;
      return;
    }
    const { job } = worker;
    worker.job = undefined;
    if (reply.kind === "done" && reply.prepared.isApproximate) options.approximated?.(reply.prepared);
    if (reply.kind === "done" || reply.kind === "made") job?.resolve(reply);
    else if (reply.kind === "refused") job?.reject(new ServeError(reply.reason, reply.message));
    else job?.reject(new Error(reply.stack));
  }

  /** In order of arrival: a large picture waits for room, and what came after it waits behind it. */
  function dispatch(): void {
    for (;;) {
      const [job] = queue;
      if (job === undefined) return;
      const idle = [...workers].find((worker) => worker.isReady && worker.job === undefined);
      const inFlight = [...workers].reduce((sum, worker) => sum + (worker.job?.pixels ?? 0), 0);
      if (idle === undefined || (inFlight > 0 && inFlight + job.pixels > maxPixelsInFlight)) return;
      queue.shift();
      idle.job = job;
      const bytes = new Uint8Array(job.bytes);
      idle.thread.postMessage(job.messageOf(bytes), [bytes.buffer]);
    }
  }

  function abandon(job: Job): void {
    const place = queue.indexOf(job);
    if (place >= 0) queue.splice(place, 1);
    for (const worker of workers) if (worker.job === job) Atomics.store(worker.abandoned, 0, job.id);
    dispatch();
  }

  /**
   * @param pixelsOf  of the work, from the size of the picture.
   * @param messageOf of the job with that number.
   */
  async function run(
    bytes: Uint8Array,
    pixelsOf: (size: { readonly width: number; readonly height: number }) => number,
    messageOf: (id: number, bytes: Uint8Array) => WorkerJob,
    signal: AbortSignal,
  ): Promise<Done> {
    if (isClosed) throw draining();
    if (signal.aborted) throw abortError(signal);
    const header = readPictureHeader(bytes, options.maxPixels, options.maxAvifPixels);
    const pixels = (header.format === "avif" ? AVIF_WEIGHT : 1) * pixelsOf(header);
    while (workers.size < options.workers) start();
    return new Promise<Done>((resolve, reject) => {
      lastId = (lastId % 0x7fff_ffff) + 1;
      const id = lastId;
      const onAbort = () => {
        reject(abortError(signal));
        abandon(job);
      };
      const stopListening = () => signal.removeEventListener("abort", onAbort);
      const job: Job = {
        id,
        bytes,
        pixels,
        messageOf: (copy) => messageOf(id, copy),
        resolve: (reply) => {
          stopListening();
          resolve(reply);
        },
        reject: (error) => {
          stopListening();
          reject(error);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      queue.push(job);
      dispatch();
    });
  }

  for (let count = 0; count < options.workers; count += 1) start();

  return {
    async preprocess(bytes, plan, signal) {
      const reply = await run(
        bytes,
        (size) => pixelsInWorks(plan, size),
        (id, copy) => ({ kind: "tensor", id, bytes: copy, memory: spares.pop(), plan }),
        signal,
      );
      if (reply.kind !== "done") throw new Error(`worker answered "${reply.kind}" to a tensor's job`);
      return reply.prepared;
    },
    async makeFile(bytes, wish, signal) {
      const reply = await run(
        bytes,
        ({ width, height }) => width * height,
        (id, copy) => ({ kind: "file", id, bytes: copy, wish }),
        signal,
      );
      if (reply.kind !== "made") throw new Error(`worker answered "${reply.kind}" to a file's job`);
      return reply.file;
    },
    recycle({ data }) {
      const isShared = "buffer" in data && data.buffer instanceof SharedArrayBuffer;
      if (isShared && spares.length < SPARES_PER_WORKER * options.workers) spares.push(data.buffer);
    },
    async close() {
      isClosed = true;
      for (const job of queue.splice(0)) job.reject(draining());
      const ended = [...workers].map((worker) => {
        worker.job?.reject(draining());
        return worker.thread.terminate();
      });
      await Promise.all(ended);
    },
  };
}

function workerLost(cause: Error): ServeError {
  return new ServeError("WORKER_LOST", "the thread that prepared the picture died, expected it to answer", {
    cause,
    retryAfterSeconds: 1,
  });
}

function draining(): ServeError {
  return new ServeError("DRAINING", "the gateway was shutting down, expected one that serves");
}
