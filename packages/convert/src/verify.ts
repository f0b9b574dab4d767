/** Proof that what was written gives what was read: both run in ONNX Runtime on the same inputs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import { elementCount, type Tensor } from "@vitrine/protocol/tensor";
import { elementsOf, newElements } from "./graph/constant-values.js";
import { elementTypeOfTensorFlow, TENSORFLOW_TYPES } from "./graph/element-type.js";
import type { Graph, GraphInput } from "./graph/graph.js";
import { permutationInto, permuteConstant, permuted } from "./graph/permutation.js";
import { writeOnnx } from "./onnx/write-onnx.js";
import { preparedGraph } from "./prepared-graph.js";
import { type OnnxSession, openOnnx } from "./run-graph.js";

/**
 * Largest difference that a conversion may make, relative to the range of the outputs. TensorFlow differs from itself by
 * 2e-5 of the largest output, and ONNX Runtime from TensorFlow by 3e-6 on Xception.
 */
export const TOLERANCE = 1e-4;

/** Rows of the inputs that are tried; a model of a fixed batch is tried with its own. */
const BATCH_SIZES = [1, 2];
/** Stands for a size that is open and not the batch. */
const OPEN_SIZE = 96;
const MAX_INPUT_BYTES = 256 * 1024 * 1024;

export interface Difference {
  readonly output: string;
  readonly largest: number;
  /** The largest difference divided by the range of the expected values. */
  readonly relative: number;
  /** Whether each row's greatest score is of the same class; undefined when the output is no list of scores. */
  readonly isTopEqual: boolean | undefined;
}

export interface Verification {
  /** Worst of all runs, one per output. */
  readonly differences: readonly Difference[];
  readonly batchSizes: readonly number[];
}

/**
 * Runs what was written and what was read, on seeded inputs of several batch sizes, and compares.
 *
 * One after the other, from files: each session holds its weights once, and is gone before the next one comes.
 *
 * @param source the graph as it was read, before any pass. It runs with nothing joined or folded.
 * @param written an ONNX file, or the graph as it was read back.
 * @throws {ServeError} MODEL_INVALID when one of them does not run, an output differs beyond {@link TOLERANCE}, or is
 *   not a number where the source's is.
 */
export async function verify(
  source: Graph,
  written: Graph | string,
  tolerance: number = TOLERANCE,
): Promise<Verification> {
  const feeds = feedsFor(source.inputs, BATCH_SIZES);
  const expected = await withSession(source, "plain", (session) => runAll(session, feeds));
  const actual = await withSession(written, "optimised", (session) => runAll(session, feeds));
  return judged(feeds, expected, actual, tolerance);
}

/**
 * As {@link verify}, with both models in files: neither graph has to stay in memory.
 *
 * @param inputs of both. @param sourceFile see {@link writeTrial}.
 */
export async function verifyFiles(
  inputs: readonly GraphInput[],
  sourceFile: string,
  writtenFile: string,
  options: { readonly batchSizes: readonly number[]; readonly tolerance: number },
): Promise<Verification> {
  const feeds = feedsFor(inputs, options.batchSizes);
  const expected = await useSession(sourceFile, "disabled", (session) => runAll(session, feeds));
  // With its own passes, as it will run: they refuse a model now and then.
  const actual = await useSession(writtenFile, "basic", (session) => runAll(session, feeds));
  return judged(feeds, expected, actual, options.tolerance);
}

/** Writes a graph for a run. Its weights lie beside it, from where ONNX Runtime maps them: in the model it copies them twice. */
export async function writeTrial(graph: Graph, how: "plain" | "optimised", file: string): Promise<void> {
  await writeOnnx(preparedGraph(graph, how), file, { maxModelBytes: 0, isLasting: false });
}

type Feeds = readonly { readonly batch: number; readonly values: ReadonlyMap<string, Tensor> }[];

function feedsFor(inputs: readonly GraphInput[], batchSizes: readonly number[]): Feeds {
  const isOpen = inputs.every(({ shape }) => shape === undefined || shape[0] === -1);
  return (isOpen ? batchSizes : [1]).map((batch) => ({ batch, values: seededFeeds(inputs, batch) }));
}

function judged(
  feeds: Feeds,
  expected: readonly ReadonlyMap<string, Tensor>[],
  actual: readonly ReadonlyMap<string, Tensor>[],
  tolerance: number,
): Verification {
  const worst = new Map<string, Difference>();
  expected.forEach((wanted, index) => {
    for (const difference of compare(wanted, actual[index] ?? new Map())) {
      const known = worst.get(difference.output);
      if (known === undefined || !(difference.relative <= known.relative))
        worst.set(difference.output, difference);
    }
  });
  const differences = [...worst.values()];
  refuseAboveTolerance(differences, tolerance);
  return { differences, batchSizes: feeds.map(({ batch }) => batch) };
}

async function runAll(session: OnnxSession, feeds: Feeds): Promise<Map<string, Tensor>[]> {
  const results: Map<string, Tensor>[] = [];
  for (const { values } of feeds) results.push(await session.run(values));
  return results;
}

/** Opens a model for the time of `use`; a graph by way of a temporary file, which is gone afterwards. */
async function withSession<T>(
  model: Graph | string,
  how: "plain" | "optimised",
  use: (session: OnnxSession) => Promise<T>,
): Promise<T> {
  const level = how === "plain" ? "disabled" : "basic";
  if (typeof model === "string") return useSession(model, level, use);
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-verify-"));
  try {
    const file = path.join(folder, "model.onnx");
    await writeTrial(model, how, file);
    return await useSession(file, level, use);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function useSession<T>(
  file: string,
  level: "disabled" | "basic",
  use: (session: OnnxSession) => Promise<T>,
): Promise<T> {
  const session = await openOnnx(file, level);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/**
 * Compares what a model gives for recorded inputs with recorded outputs (`--verify IN.npy OUT.npy`).
 *
 * @param written an ONNX file, or a graph.
 * @throws {ServeError} MODEL_INVALID above the tolerance; TENSOR_INVALID when the records do not fit the model.
 */
export async function verifyRecorded(
  graph: Pick<Graph, "inputs" | "outputs">,
  written: Graph | string,
  records: { readonly input: Tensor; readonly output: Tensor },
  tolerance: number = TOLERANCE,
): Promise<Difference> {
  const [input, ...moreInputs] = graph.inputs;
  const [output, ...moreOutputs] = graph.outputs;
  if (input === undefined || output === undefined || moreInputs.length + moreOutputs.length > 0) {
    throw new ServeError(
      "TENSOR_INVALID",
      `the model had ${graph.inputs.length} inputs and ${graph.outputs.length} outputs, expected one of each to compare with one record`,
    );
  }
  const feeds = new Map([[input.alias, fitted(records.input, input)]]);
  const given = await withSession(written, "optimised", (session) => session.run(feeds));
  const [difference] = compare(new Map([[output.alias, records.output]]), given);
  if (difference === undefined) throw new ServeError("INTERNAL", "the model gave no output, expected one");
  refuseAboveTolerance([difference], tolerance);
  return difference;
}

/** The record as the model takes it; a picture that was recorded in the other layout gets its axes in order. */
function fitted(record: Tensor, { alias, type, shape }: GraphInput): Tensor {
  const fits = (sizes: readonly number[]) =>
    shape === undefined ||
    (sizes.length === shape.length && shape.every((size, axis) => size === -1 || size === sizes[axis]));
  const dtype = TENSORFLOW_TYPES[type];
  if (record.dtype === dtype && fits(record.shape)) return record;
  for (const layout of ["NCHW", "NHWC"] as const) {
    const perm = permutationInto(layout, 4);
    const isPicture = record.shape.length === 4 && record.dtype === dtype && ArrayBuffer.isView(record.data);
    if (!isPicture || !fits(permuted(record.shape, perm))) continue;
    const { buffer, byteOffset, byteLength } = record.data;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const moved = permuteConstant({ type, shape: record.shape, bytes }, perm);
    return { dtype, shape: moved.shape, data: elementsOf(moved) };
  }
  throw new ServeError(
    "TENSOR_INVALID",
    `the recorded input was ${elementTypeOfTensorFlow(record.dtype)} [${record.shape.join(",")}], expected ${type} [${shape?.join(",") ?? "?"}] for ${alias}`,
  );
}

function refuseAboveTolerance(differences: readonly Difference[], tolerance: number): void {
  // Not `relative > tolerance`: that is false for what is not a number.
  const wrong = differences.find(({ relative }) => !(relative <= tolerance));
  if (wrong === undefined) return;
  throw new ServeError(
    "MODEL_INVALID",
    `output ${wrong.output} differed by ${wrong.largest.toPrecision(3)}, ${wrong.relative.toPrecision(3)} of its range, expected at most ${tolerance}`,
  );
}

/** Compares outputs by alias. @throws {ServeError} TENSOR_INVALID when one is missing or of another type or shape. */
export function compare(
  expected: ReadonlyMap<string, Tensor>,
  actual: ReadonlyMap<string, Tensor>,
): Difference[] {
  return [...expected].map(([output, wanted]) => {
    const given = actual.get(output);
    if (given === undefined || given.shape.join() !== wanted.shape.join()) {
      throw new ServeError(
        "TENSOR_INVALID",
        `output ${output} was of shape [${given?.shape.join(",")}], expected [${wanted.shape.join(",")}]`,
      );
    }
    return { output, ...distance(wanted, given), isTopEqual: isTopEqual(wanted, given) };
  });
}

function distance(wanted: Tensor, given: Tensor): { largest: number; relative: number } {
  const { data: left } = wanted;
  const { data: right } = given;
  if (!(ArrayBuffer.isView(left) && ArrayBuffer.isView(right))) {
    const isEqual =
      left.length === right.length && left.every((text, index) => String(text) === String(right[index]));
    return isEqual ? { largest: 0, relative: 0 } : { largest: Number.NaN, relative: Number.NaN };
  }
  let [largest, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let index = 0; index < left.length; index++) {
    const [a, b] = [Number(left[index]), Number(right[index])];
    // The same infinity, or not a number on both sides, is no difference.
    if (Object.is(a, b)) continue;
    const difference = Math.abs(a - b);
    largest = difference > largest || Number.isNaN(difference) ? difference : largest;
    if (Number.isNaN(largest)) break;
  }
  for (const value of left) {
    const number = Number(value);
    if (!Number.isFinite(number)) continue;
    low = Math.min(low, number);
    high = Math.max(high, number);
  }
  // Constant outputs have no range; their size says what a difference means.
  const range = high > low ? high - low : Math.max(Math.abs(high), Number.MIN_VALUE);
  return { largest, relative: largest === 0 ? 0 : largest / range };
}

/** Whether the greatest value of each row stands at the same place. */
function isTopEqual(wanted: Tensor, given: Tensor): boolean | undefined {
  const classes = wanted.shape[1];
  if (wanted.shape.length !== 2 || classes === undefined || classes < 2) return undefined;
  if (!(ArrayBuffer.isView(wanted.data) && ArrayBuffer.isView(given.data))) return undefined;
  const [left, right] = [topOfRows(wanted.data, classes), topOfRows(given.data, classes)];
  return left.every((top, row) => top === right[row]);
}

function topOfRows(data: ArrayLike<number | bigint>, classes: number): number[] {
  return Array.from({ length: data.length / classes }, (_, row) => {
    let top = 0;
    for (let index = 1; index < classes; index++) {
      if ((data[row * classes + index] ?? 0) > (data[row * classes + top] ?? 0)) top = index;
    }
    return top;
  });
}

/**
 * Inputs that are the same at each run: pixels for uint8, small numbers for other integers. The rows of floats are in turn
 * from -1 to 1 and from 0 to 255: a model takes pixels before or after its preprocessing, and is near saturation with
 * the others.
 */
export function seededFeeds(inputs: readonly GraphInput[], batch: number): Map<string, Tensor> {
  const random = seededRandom(20_180_904);
  return new Map(
    inputs.map(({ alias, type, shape }) => {
      if (shape === undefined || type === "string" || type === "float16" || type === "bfloat16") {
        throw new ServeError(
          "MODEL_UNSUPPORTED",
          `input ${alias} was ${type} of ${shape === undefined ? "any rank" : `rank ${shape.length}`}, expected numbers of a known rank to try the model`,
        );
      }
      const sizes = shape.map((size, axis) => (size >= 0 ? size : axis === 0 ? batch : OPEN_SIZE));
      const elements = elementCount(sizes);
      if (!(elements * 8 <= MAX_INPUT_BYTES)) {
        throw new ServeError(
          "MODEL_UNSUPPORTED",
          `input ${alias} was of shape [${sizes.join(",")}], expected at most ${MAX_INPUT_BYTES} bytes to try the model`,
        );
      }
      const data = newElements(type, elements);
      fill(data, type, random, sizes[0] ?? 1);
      return [alias, { dtype: TENSORFLOW_TYPES[type], shape: sizes, data }];
    }),
  );
}

function fill(
  data: ReturnType<typeof newElements>,
  type: GraphInput["type"],
  random: () => number,
  rows: number,
): void {
  const range = type === "uint8" ? 256 : type === "bool" ? 2 : 8;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let index = 0; index < data.length; index++) data[index] = BigInt(Math.floor(random() * range));
  } else if (data instanceof Float32Array || data instanceof Float64Array) {
    const row = Math.max(1, data.length / rows);
    for (let index = 0; index < data.length; index++) {
      data[index] = Math.floor(index / row) % 2 === 0 ? random() * 2 - 1 : random() * 255;
    }
  } else {
    for (let index = 0; index < data.length; index++) data[index] = Math.floor(random() * range);
  }
}

/** Mulberry32: 2^32 numbers from 0 to below 1. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
