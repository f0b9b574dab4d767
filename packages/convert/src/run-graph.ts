/** Runs a graph in ONNX Runtime. */

import { NUMERIC_TYPES } from "@vitrine/protocol/dtype";
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor, TensorData } from "@vitrine/protocol/tensor";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { elementTypeOfTensorFlow, isElementType, TENSORFLOW_TYPES } from "./graph/element-type.js";
import type { ElementType, Graph } from "./graph/graph.js";
import { encodeOnnx, joinParts } from "./onnx/write-onnx.js";
import { preparedGraph } from "./prepared-graph.js";

/**
 * Runs a graph once.
 *
 * @param feeds by the aliases of the graph's inputs.
 * @returns the outputs by alias.
 * @throws {ServeError} MODEL_INVALID when ONNX Runtime refuses the model or the run, in its words.
 */
export async function runGraph(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Tensor>> {
  return runOnnx(joinParts(encodeOnnx(preparedGraph(graph, "optimised"))), feeds);
}

/** Runs an ONNX model once. @param model its bytes, or its file when the weights lie beside it. */
export async function runOnnx(
  model: Uint8Array | string,
  feeds: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Tensor>> {
  const session = await openOnnx(model);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

export interface OnnxSession {
  run(feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  close(): Promise<void>;
}

/**
 * Loads an ONNX model for several runs.
 *
 * @param optimisations of ONNX Runtime: `disabled` runs each operator as it stands, and keeps no joined weights beside
 *   those of the file.
 * @throws {ServeError} MODEL_INVALID when ONNX Runtime refuses it.
 */
export async function openOnnx(
  model: Uint8Array | string,
  optimisations: "basic" | "disabled" = "basic",
): Promise<OnnxSession> {
  const options: InferenceSession.SessionOptions = {
    // Failures are thrown; ONNX Runtime would write each to stderr as well.
    logSeverityLevel: 4,
    interOpNumThreads: 1,
    // Weights rearranged for speed, and memory kept for the next run, are not worth their size here.
    graphOptimizationLevel: optimisations,
    enableCpuMemArena: false,
    enableMemPattern: false,
  };
  const session = await refusalsNamed(
    typeof model === "string"
      ? InferenceSession.create(model, options)
      : InferenceSession.create(model, options),
  );
  return {
    run: async (feeds) => {
      const inputs = Object.fromEntries(
        [...feeds].map(([alias, tensor]) => [alias, ortTensor(alias, tensor)]),
      );
      const results = await refusalsNamed(session.run(inputs));
      return new Map(Object.entries(results).map(([alias, result]) => [alias, tensorOf(alias, result)]));
    },
    close: () => session.release(),
  };
}

async function refusalsNamed<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ServeError("MODEL_INVALID", `ONNX Runtime refused the model: ${words}`, { cause });
  }
}

function ortTensor(alias: string, { dtype, shape, data }: Tensor): OrtTensor {
  const type = elementTypeOfTensorFlow(dtype);
  if (type === undefined || type === "bfloat16") {
    throw new ServeError(
      "TENSOR_INVALID",
      `${alias} was of dtype ${dtype}, expected one that ONNX Runtime takes`,
    );
  }
  if (!ArrayBuffer.isView(data)) {
    const text = new TextDecoder();
    return new OrtTensor(
      "string",
      data.map((bytes) => text.decode(bytes)),
      shape,
    );
  }
  return new OrtTensor(type, data, shape);
}

function tensorOf(alias: string, { type, dims, data }: OrtTensor): Tensor {
  if (!isElementType(type)) {
    throw new ServeError("MODEL_INVALID", `output ${alias} was of type ${type}, expected one of whole bytes`);
  }
  return { dtype: TENSORFLOW_TYPES[type], shape: dims, data: tensorData(alias, type, data) };
}

function tensorData(alias: string, type: ElementType, data: OrtTensor.DataType): TensorData {
  if (Array.isArray(data)) {
    const text = new TextEncoder();
    return data.map((entry) => text.encode(entry));
  }
  // A view of the same bytes: under Node 24 half floats arrive as an array class that Node 20 does not have.
  const array = NUMERIC_TYPES.get(TENSORFLOW_TYPES[type])?.array;
  if (array === undefined)
    throw new ServeError("MODEL_INVALID", `output ${alias} was of type ${type}, expected numbers`);
  return new array(data.buffer, data.byteOffset, data.byteLength / array.BYTES_PER_ELEMENT);
}
