/** The tensors of several requests as one batch, and the batch's outputs as each request's own rows. */
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import { bytesOf, dtypeOf, viewOf } from "./element-types.js";
import type { Allocate } from "./session-pool.js";
import type { TensorSpec } from "./signature.js";
import type { SessionTensor, SessionTensors } from "./worker-messages.js";

/** Inputs or outputs of one request, by alias. */
export type TensorMap = ReadonlyMap<string, Tensor>;

const utf8 = { decoder: new TextDecoder("utf-8", { fatal: true }), encoder: new TextEncoder() };

/**
 * Lays the requests' rows one after another: the one copy that a request's elements take here.
 *
 * @param requests of equal dtypes and equal sizes behind the first dimension, which differs freely. One request
 *   may have any shape.
 * @returns tensors by their names in the graph, on the buffers that `allocate` gave, one each, to be handed over.
 * @throws {ServeError} TENSOR_INVALID for a string that is not UTF-8.
 */
export function joinRequests(
  specs: ReadonlyMap<string, TensorSpec>,
  requests: readonly TensorMap[],
  allocate: Allocate,
): SessionTensors {
  const joined: Record<string, SessionTensor> = {};
  for (const spec of specs.values()) joined[spec.graphName] = joinTensors(spec, requests, allocate);
  return joined;
}

function joinTensors(
  { alias, type }: TensorSpec,
  requests: readonly TensorMap[],
  allocate: Allocate,
): SessionTensor {
  const parts = requests.map((request) => {
    const tensor = request.get(alias);
    if (tensor === undefined) throw new Error(`input ${alias} was not checked for`);
    return tensor;
  });
  const [first] = parts;
  if (first === undefined) throw new Error("a batch without requests");
  const [firstRows, ...rest] = first.shape;
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const dims = firstRows === undefined ? [] : [rows, ...rest];
  const elementBytes = bytesOf(type);
  if (elementBytes === undefined) return { type, dims, data: parts.flatMap((part) => texts(alias, part)) };
  const bytes = joinBytes(parts.map(bytesIn), allocate);
  return { type, dims, data: viewOf(type, bytes.buffer, bytes.byteLength / elementBytes) };
}

function bytesIn({ data }: Tensor): Uint8Array {
  if (!ArrayBuffer.isView(data)) throw new Error("a numeric tensor without numbers");
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function joinBytes(parts: readonly Uint8Array[], allocate: Allocate): Uint8Array<ArrayBuffer> {
  const total = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const joined = new Uint8Array(allocate(total), 0, total);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

function texts(alias: string, { data }: Tensor): string[] {
  if (ArrayBuffer.isView(data)) throw new Error("a string tensor of numbers");
  return data.map((element) => {
    try {
      return utf8.decoder.decode(element);
    } catch (cause) {
      throw new ServeError(
        "TENSOR_INVALID",
        `Input ${alias} had a string that is not UTF-8, expected text: ONNX Runtime for Node takes no other`,
        { cause },
      );
    }
  });
}

/**
 * Gives each request its rows of the outputs.
 *
 * @param specs of the outputs wanted.
 * @param outputs by their names in the graph.
 * @param rows of each request, in the order of {@link joinRequests}. A single request gets all, whatever its size.
 * @returns views of the outputs' buffers, by alias.
 * @throws {ServeError} INTERNAL when an output does not have one row for each row of the batch.
 */
export function splitOutputs(
  specs: readonly TensorSpec[],
  outputs: SessionTensors,
  rows: readonly number[],
): TensorMap[] {
  const split = rows.map(() => new Map<string, Tensor>());
  for (const { alias, graphName } of specs) {
    const output = outputs[graphName];
    if (output === undefined) throw new Error(`output ${graphName} was asked for and did not come`);
    for (const [index, tensor] of splitOutput(alias, output, rows).entries())
      split[index]?.set(alias, tensor);
  }
  return split;
}

function splitOutput(alias: string, { type, dims, data }: SessionTensor, rows: readonly number[]): Tensor[] {
  const dtype = dtypeOf(type);
  const elements = ArrayBuffer.isView(data) ? data : data.map((text) => utf8.encoder.encode(text));
  if (rows.length === 1) return [{ dtype, shape: dims, data: elements }];
  const total = rows.reduce((sum, count) => sum + count, 0);
  const [outputRows, ...rest] = dims;
  if (outputRows !== total) {
    throw new ServeError(
      "INTERNAL",
      `output ${alias} had shape [${dims.join(",")}], expected ${total} rows as the batch had`,
    );
  }
  const perRow = elements.length / total;
  let start = 0;
  return rows.map((count) => {
    const end = start + count * perRow;
    const part = ArrayBuffer.isView(elements) ? elements.subarray(start, end) : elements.slice(start, end);
    start = end;
    return { dtype, shape: [count, ...rest], data: part };
  });
}
