/** REST bodies to tensors: small ones at once, large ones in a thread of their own. */
import { Worker } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import type { TensorMap } from "../engine/tensor-batch.js";
import type { BodyAnswer, BodyJob } from "./rest-body-job.js";
import { type InputSpecs, parseRestBody, type RestForm, readSignedInputs } from "./rest-request.js";

export interface ReadBody {
  readonly signatureName: string;
  readonly form: RestForm;
  readonly inputs: TensorMap;
}

/** One float32 picture of 256 pixels has 4 MB and takes 15 ms: what is above goes to the thread. */
const LARGE_BYTES = 6 * 1024 * 1024;

interface Waiting {
  resolve(body: ReadBody): void;
  reject(error: ServeError): void;
}

export class RestBodies {
  readonly #workerUrl: URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  /** @param workerUrl of rest-body-worker.js; the thread starts with the first large body. */
  constructor(workerUrl: URL) {
    this.#workerUrl = workerUrl;
  }

  /**
   * @param signaturesOf finds the model; called after a small body was parsed, as TensorFlow Serving does, but before
   *   a large one is read.
   * @throws {ServeError} REQUEST_INVALID, METHOD_UNIMPLEMENTED, and what `signaturesOf` throws.
   */
  async read(bytes: Buffer, signaturesOf: () => ReadonlyMap<string, InputSpecs>): Promise<ReadBody> {
    if (bytes.byteLength <= LARGE_BYTES) {
      const body = parseRestBody(bytes);
      return { signatureName: body.signatureName, ...readSignedInputs(body, signaturesOf()) };
    }
    const signatures = new Map([...signaturesOf()].map(([name, { inputs }]) => [name, { inputs }]));
    this.#lastId++;
    const job: BodyJob = { id: this.#lastId, bytes, signatures };
    const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
    return new Promise((resolve, reject) => {
      this.#waiting.set(job.id, { resolve, reject });
      this.#started().postMessage(job, whole && bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : []);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#workerUrl);
    // It has work only while a request waits for it, and that keeps the process.
    worker.unref();
    worker.on("message", (answer: BodyAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("error" in answer) {
        const { reason, code, message } = answer.error;
        waiting?.reject(new ServeError(reason, message, { code }));
      } else {
        waiting?.resolve(answer);
      }
    });
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => {
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) {
        reject(new ServeError("WORKER_LOST", "the thread that read the body ended", { cause }));
      }
      this.#waiting.clear();
    });
    this.#worker = worker;
    return worker;
  }
}
