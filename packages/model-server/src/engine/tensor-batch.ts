/** The tensors of several requests as one batch, and the batch's outputs as each request's own rows. */
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import { bytesOf, dtypeOf, viewOf } from "../element-types.js";
import type { TensorSpec } from "../signature.js";
import { largestRow, layRows, product } from "./row-layout.js";
import type { Allocate } from "./session-thread.js";
import type { SessionTensor, SessionTensors } from "./worker-messages.js";

/** Inputs or outputs of one request, by alias. */
export type TensorMap = ReadonlyMap<string, Tensor>;

const utf8 = { decoder: new TextDecoder("utf-8", { fatal: true }), encoder: new TextEncoder() };

/**
 * Lays the requests' rows one after another: the one copy that a request's elements take here.
 *
 * Where they differ behind the first dimension, each is padded at the end of its dimensions to the largest, with its
 * own first element, as TensorFlow's batching does.
 *
 * @param requests of equal dtypes and ranks; the first dimension differs freely. One request may have any shape.
 * @param rows of the batch. More than the requests have: the first row of the last one is repeated. A request alone
 *   may give 0 and keeps its own.
 * @returns tensors by their names in the graph, on the buffers that `allocate` gave, one each, to be handed over.
 * @throws {ServeError} TENSOR_INVALID for a string that is not UTF-8.
 */
export function joinRequests(
  specs: ReadonlyMap<string, TensorSpec>,
  requests: readonly TensorMap[],
  rows: number,
  allocate: Allocate,
): SessionTensors {
  const joined: Record<string, SessionTensor> = {};
  for (const spec of specs.values()) joined[spec.graphName] = joinTensors(spec, requests, rows, allocate);
  return joined;
}

function joinTensors(
  { alias, type }: TensorSpec,
  requests: readonly TensorMap[],
  rows: number,
  allocate: Allocate,
): SessionTensor {
  const tensors = requests.map((request) => {
    const tensor = request.get(alias);
    if (tensor === undefined) throw new Error(`input ${alias} was not checked for`);
    return tensor;
  });
  const unit = bytesOf(type);
  const parts = tensors.map((tensor) => ({
    shape: tensor.shape,
    cells: unit === undefined ? texts(alias, tensor) : bytesIn(tensor),
  }));
  const [first] = parts;
  if (first === undefined) throw new Error("a batch without requests");
  const row = largestRow(parts.map(({ shape }) => shape));
  const given = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const dims = first.shape.length === 0 ? [] : [parts.length === 1 ? Math.max(given, rows) : rows, ...row];
  const elements = product(dims);
  if (unit === undefined) return { type, dims, data: layRows(new Array<string>(elements), parts, row, 1) };
  const bytes = layRows(new Uint8Array(allocate(elements * unit), 0, elements * unit), parts, row, unit);
  return { type, dims, data: viewOf(type, bytes.buffer, elements) };
}

/** The memory of a numeric tensor. */
export function bytesIn({ data }: Tensor): Uint8Array {
  if (!ArrayBuffer.isView(data)) throw new Error("a numeric tensor without numbers");
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
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
 * @param rows of each request, in the order of {@link joinRequests}. A single request gets all, whatever its size,
 *   unless its batch was filled up.
 * @param batchRows of the batch, repeated ones included.
 * @returns views of the outputs' buffers, by alias.
 * @throws {ServeError} FAILED_PRECONDITION when an output does not have one row for each row of the batch.
 */
export function splitOutputs(
  specs: readonly TensorSpec[],
  outputs: SessionTensors,
  rows: readonly number[],
  batchRows: number,
): TensorMap[] {
  const split = rows.map(() => new Map<string, Tensor>());
  for (const { alias, graphName } of specs) {
    const output = outputs[graphName];
    if (output === undefined) throw new Error(`output ${graphName} was asked for and did not come`);
    for (const [index, tensor] of splitOutput(alias, output, rows, batchRows).entries())
      split[index]?.set(alias, tensor);
  }
  return split;
}

function splitOutput(
  alias: string,
  { type, dims, data }: SessionTensor,
  rows: readonly number[],
  batchRows: number,
): Tensor[] {
  const dtype = dtypeOf(type);
  const elements = ArrayBuffer.isView(data) ? data : data.map((text) => utf8.encoder.encode(text));
  if (rows.length === 1 && rows[0] === batchRows) return [{ dtype, shape: dims, data: elements }];
  const [outputRows, ...rest] = dims;
  if (outputRows !== batchRows) {
    throw new ServeError(
      "REQUEST_INVALID",
      `Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input tensors: ` +
        `output ${alias} had shape [${dims.join(",")}], the batch ${batchRows} rows`,
      { code: "FAILED_PRECONDITION" },
    );
  }
  const perRow = elements.length / batchRows;
  let start = 0;
  return rows.map((count) => {
    const end = start + count * perRow;
    const part = ArrayBuffer.isView(elements) ? elements.subarray(start, end) : elements.slice(start, end);
    start = end;
    return { dtype, shape: [count, ...rest], data: part };
  });
}
