/**
 * The thread: one ONNX Runtime session that answers one run at a time. `run` blocks its thread, which is why it has
 * one of its own. This is the file to replace for another engine.
 */
import { parentPort, workerData } from "node:worker_threads";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { begin, sharedNow } from "./run-claim.js";
import {
  type ElementType,
  type GraphValue,
  type NumericArray,
  type RunRequest,
  type SessionMetadata,
  type SessionTensor,
  type SessionWorkerOptions,
  transferList,
  type WorkerMessage,
} from "./worker-messages.js";

const ELEMENT_TYPES: ReadonlySet<string> = new Set<ElementType>([
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
]);

// onnxruntime-node 1.30 takes half floats as a Float16Array where Node has one (from 24 on), and its native part then sees
// no bytes in it. Without the global it takes the Uint16Array of bit patterns, as under older versions. This thread is ours alone.
Reflect.deleteProperty(globalThis, "Float16Array");
// Failures are thrown, and logged once by the server; ONNX Runtime would write each to stderr as well.
env.logLevel = "fatal";
const LOG_FATAL = 4;

function isElementType(type: string): type is ElementType {
  return ELEMENT_TYPES.has(type);
}

function post(message: WorkerMessage): void {
  const outputs = message.kind === "result" ? transferList(message.outputs) : [];
  const spares = "spares" in message ? message.spares : [];
  parentPort?.postMessage(message, [...outputs, ...spares]);
}

async function load({ model, ...options }: SessionWorkerOptions): Promise<InferenceSession> {
  const { device, intraOpThreads, interOpThreads } = options;
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: device.kind === "cuda" ? [{ name: "cuda", deviceId: device.id }, "cpu"] : ["cpu"],
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: interOpThreads,
    executionMode: interOpThreads > 1 ? "parallel" : "sequential",
    graphOptimizationLevel: options.graphOptimizationLevel,
    enableCpuMemArena: options.cpuMemArena,
    enableMemPattern: options.memoryPattern,
    logSeverityLevel: LOG_FATAL,
    // Threads that spin between runs take the core from the event loop and from the other sessions.
    extra: { session: { intra_op: { allow_spinning: options.allowSpinning ? "1" : "0" } } },
  };
  return "file" in model
    ? InferenceSession.create(model.file, sessionOptions)
    : InferenceSession.create(new Uint8Array(model.bytes), sessionOptions);
}

/** ONNX Runtime's words, with what they mean for a device whose libraries are not whole. */
function loadError(error: unknown): string {
  const { device } = options;
  if (device.kind === "cpu") return messageOf(error);
  return `device cuda:${device.id} could not be used, expected a GPU with CUDA 12 and cuDNN 9 installed: ${messageOf(error)}`;
}

function describe(session: InferenceSession): SessionMetadata {
  return {
    inputs: session.inputMetadata.map((value) => graphValue("input", value)),
    outputs: session.outputMetadata.map((value) => graphValue("output", value)),
  };
}

function graphValue(kind: string, value: InferenceSession.ValueMetadata): GraphValue {
  if (!value.isTensor) {
    throw new Error(
      `${kind} ${value.name} was a sequence or map, expected a tensor (scikit-learn: convert with zipmap=False)`,
    );
  }
  if (!isElementType(value.type)) {
    throw new Error(`${kind} ${value.name} was of type ${value.type}, expected a type of whole bytes`);
  }
  return { name: value.name, type: value.type, shape: value.shape };
}

async function run(session: InferenceSession, { feeds, fetches, claim }: RunRequest): Promise<WorkerMessage> {
  if (claim !== undefined && !begin(claim)) return { kind: "called-back", spares: transferList(feeds) };
  const startedAt = sharedNow();
  const inputs: Record<string, Tensor> = {};
  for (const [name, { type, data, dims }] of Object.entries(feeds)) {
    inputs[name] = new Tensor(type, data, dims);
  }
  const results = await session.run(inputs, fetches);
  const endedAt = sharedNow();
  const outputs: Record<string, SessionTensor> = {};
  for (const [name, value] of Object.entries(results)) {
    outputs[name] = sessionTensor(name, value.type, value.dims, value.data);
  }
  // An output may be its input's own memory; that goes to the server with the output.
  const taken = new Set(transferList(outputs));
  const spares = transferList(feeds).filter((buffer) => !taken.has(buffer));
  return { kind: "result", outputs, startedAt, endedAt, spares };
}

function sessionTensor(
  name: string,
  type: string,
  dims: readonly number[],
  data: Tensor.DataType,
): SessionTensor {
  if (!isElementType(type)) throw new Error(`output ${name} was of type ${type}, expected a known one`);
  if (Array.isArray(data)) return { type, dims, data };
  if (!(data.buffer instanceof ArrayBuffer)) throw new Error(`output ${name} was not in memory of its own`);
  return { type, dims, data: data as NumericArray };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const options: SessionWorkerOptions = workerData;
try {
  const session = await load(options);
  const metadata = describe(session);
  let last = Promise.resolve();
  parentPort?.on("message", (request: RunRequest) => {
    // Two may come at once, and session.run only begins at the next turn of the loop.
    last = last
      .then(() => run(session, request))
      .then(post, (error: unknown) => post({ kind: "run-failed", message: messageOf(error) }));
  });
  post({ kind: "loaded", metadata });
} catch (error) {
  post({ kind: "load-failed", message: loadError(error) });
}
