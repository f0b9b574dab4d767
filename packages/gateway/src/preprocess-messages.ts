/** What the preprocessor and its worker threads say to each other. */
import type { Reason } from "@vitrine/protocol/status";
import type { PictureFile, PictureWish } from "./pixels/picture-file.js";
import type { Preprocessed } from "./pixels/prepare.js";
import type { PreprocessPlan } from "./preprocess-plan.js";

export interface WorkerOptions {
  readonly maxPixels: number;
  /** One Int32 in shared memory: number of the job that nobody waits for any more. */
  readonly abandoned: Int32Array;
}

/** From a picture to the model's tensor. */
export interface TensorJob {
  readonly kind: "tensor";
  /** From 1 on. */
  readonly id: number;
  /** Moved to the worker. */
  readonly bytes: Uint8Array;
  /** For the tensor, where it fits. */
  readonly memory: SharedArrayBuffer | undefined;
  readonly plan: PreprocessPlan;
}

/** From a picture to a file of our own making. */
export interface FileJob {
  readonly kind: "file";
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly wish: PictureWish;
}

export type WorkerJob = TensorJob | FileJob;

export type WorkerReply =
  | { readonly kind: "ready" }
  /** The tensor lies in shared memory. */
  | { readonly kind: "done"; readonly id: number; readonly prepared: Preprocessed }
  /** Its bytes are moved. */
  | { readonly kind: "made"; readonly id: number; readonly file: PictureFile }
  /** A ServeError: the picture's fault. */
  | { readonly kind: "refused"; readonly id: number; readonly reason: Reason; readonly message: string }
  /** Any other error: ours. */
  | { readonly kind: "failed"; readonly id: number; readonly stack: string };
