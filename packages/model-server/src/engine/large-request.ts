/** Requests of more rows than one run takes: cut before they wait, joined again when all parts are answered. */
import type { Tensor } from "@vitrine/protocol/tensor";
import { bytesOf, elementTypeOf, viewOf } from "../element-types.js";
import { largestRow, layRows, product } from "./row-layout.js";
import { bytesIn, type TensorMap } from "./tensor-batch.js";

/**
 * Cuts a request into several of at most so many rows.
 *
 * @param tensors all with one first dimension.
 * @returns views.
 */
export function splitRequest(tensors: TensorMap, rows: number, mostRows: number): TensorMap[] {
  return Array.from({ length: Math.ceil(rows / mostRows) }, (_, part) => {
    const from = part * mostRows;
    const to = Math.min(rows, from + mostRows);
    return new Map([...tensors].map(([alias, tensor]) => [alias, sliceRows(tensor, rows, from, to)]));
  });
}

function sliceRows({ dtype, shape, data }: Tensor, rows: number, from: number, to: number): Tensor {
  const perRow = data.length / rows;
  const [start, end] = [from * perRow, to * perRow];
  const part = ArrayBuffer.isView(data) ? data.subarray(start, end) : data.slice(start, end);
  return { dtype, shape: [to - from, ...shape.slice(1)], data: part };
}

/** The answers to the parts of one request as one answer; the rows in the parts' order. */
export function joinOutputs(parts: readonly TensorMap[]): TensorMap {
  const [first = new Map<string, Tensor>()] = parts;
  return new Map([...first.keys()].map((alias) => [alias, joinRows(parts, alias)]));
}

function joinRows(parts: readonly TensorMap[], alias: string): Tensor {
  const tensors = parts.map((part) => {
    const tensor = part.get(alias);
    if (tensor === undefined) throw new Error(`a part of a request had no output ${alias}`);
    return tensor;
  });
  const dtype = tensors[0]?.dtype ?? 0;
  const row = largestRow(tensors.map(({ shape }) => shape));
  const shape = [tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0), ...row];
  const type = elementTypeOf(dtype);
  const unit = bytesOf(type);
  if (unit === undefined) {
    return { dtype, shape, data: tensors.flatMap(({ data }) => (ArrayBuffer.isView(data) ? [] : data)) };
  }
  const cells = tensors.map((tensor) => ({ shape: tensor.shape, cells: bytesIn(tensor) }));
  const bytes = layRows(new Uint8Array(product(shape) * unit), cells, row, unit);
  return { dtype, shape, data: viewOf(type, bytes.buffer, product(shape)) };
}
