/** What crosses the border between the pool and a session worker's thread. Buffers move by transfer. */
import type { RunClaim } from "./run-claim.js";

/** Element types by the names that ONNX Runtime gives them. */
export type ElementType =
  | "float32"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "int32"
  | "int64"
  | "string"
  | "bool"
  | "float16"
  | "float64"
  | "uint32"
  | "uint64";

export type NumericArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

export interface SessionTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Row-major; bool as bytes 0 and 1, float16 as its bit patterns in a Uint16Array. */
  readonly data: NumericArray | readonly string[];
}

/** Tensors by their name in the graph. */
export type SessionTensors = Readonly<Record<string, SessionTensor>>;

/** One input or output of the graph; a string in `shape` names a dynamic dimension. */
export interface GraphValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

export interface SessionMetadata {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
}

/** Where a session's graph comes from. Bytes are shared by all sessions of a version and must not be changed. */
export type SessionModel = { readonly file: string } | { readonly bytes: Uint8Array<SharedArrayBuffer> };

/** How a session runs its graph. */
export interface SessionOptions {
  readonly device: { readonly kind: "cpu" } | { readonly kind: "cuda"; readonly id: number };
  /** Threads within one operator. */
  readonly intraOpThreads: number;
  /** Operators that run side by side; 1 = one after the other. */
  readonly interOpThreads: number;
  readonly graphOptimizationLevel: "disabled" | "basic" | "extended" | "all";
  readonly cpuMemArena: boolean;
  readonly memoryPattern: boolean;
  /** Threads wait for work by spinning. */
  readonly allowSpinning: boolean;
}

/** `workerData` of a session worker. */
export interface SessionWorkerOptions extends SessionOptions {
  readonly model: SessionModel;
}

/** One thread on the CPU, and all else as ONNX Runtime has it by itself. */
export const DEFAULT_SESSION_OPTIONS: SessionOptions = {
  device: { kind: "cpu" },
  intraOpThreads: 1,
  interOpThreads: 1,
  graphOptimizationLevel: "all",
  cpuMemArena: true,
  memoryPattern: true,
  allowSpinning: false,
};

/** One run. A worker does one after the other and answers each, in the order in which they came. */
export interface RunRequest {
  readonly feeds: SessionTensors;
  /** Graph outputs to compute; others are not. */
  readonly fetches: readonly string[];
  /** Of a run that was sent ahead of the last one's answer: without it the worker must not begin. */
  readonly claim: RunClaim | undefined;
}

export type WorkerMessage =
  | { readonly kind: "loaded"; readonly metadata: SessionMetadata }
  | { readonly kind: "load-failed"; readonly message: string }
  | {
      readonly kind: "result";
      readonly outputs: SessionTensors;
      /** On the clock of `sharedNow()`. */
      readonly startedAt: number;
      readonly endedAt: number;
      /** The feeds' buffers, handed back for the next run. */
      readonly spares: readonly ArrayBuffer[];
    }
  | { readonly kind: "run-failed"; readonly message: string }
  | { readonly kind: "called-back"; readonly spares: readonly ArrayBuffer[] };

/** The buffers of tensors that a message hands over. */
export function transferList(tensors: SessionTensors): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(tensors)) {
    if (ArrayBuffer.isView(data)) buffers.add(data.buffer);
  }
  return [...buffers];
}
