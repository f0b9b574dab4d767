/** What a model takes and gives under each of its signatures, and whether a request fits one. */
import { ServeError } from "@vitrine/protocol/status";
import { type DataType, dtypeName, type Tensor } from "@vitrine/protocol/tensor";
import { dtypeOf } from "./element-types.js";
import type { ElementType, GraphValue, SessionMetadata } from "./engine/worker-messages.js";

/** Used when a request names none; ONNX models have no other. */
export const DEFAULT_SIGNATURE = "serving_default";

export const PREDICT_METHOD_NAME = "tensorflow/serving/predict";
export const CLASSIFY_METHOD_NAME = "tensorflow/serving/classify";
export const REGRESS_METHOD_NAME = "tensorflow/serving/regress";

/** One input or output of a signature. */
export interface TensorSpec {
  /** Name that callers use; the graph's own for an ONNX model. */
  readonly alias: string;
  /** Name of the input or output in the ONNX graph. */
  readonly graphName: string;
  /** Name that the signature's metadata tells, such as `serving_default_x:0`. */
  readonly tensorName: string;
  readonly type: ElementType;
  readonly dtype: DataType;
  /** -1 = any size. [] is a scalar, or a graph that does not say; ONNX Runtime has the last word on it. */
  readonly shape: readonly number[];
  /** The signature says that it does not know the rank; `shape` is [] then. */
  readonly unknownRank: boolean;
}

/** A feature of tf.Example that a SavedModel parses itself, and the graph's input that takes it. */
export interface ExampleFeature {
  readonly name: string;
  readonly type: DataType;
  /** Of one example, without the rows. */
  readonly shape: readonly number[];
  readonly defaultValue?: readonly (number | bigint | Uint8Array)[] | undefined;
  readonly graphName: string;
}

export interface Signature {
  readonly name: string;
  /** Such as `tensorflow/serving/predict`. */
  readonly methodName: string;
  /** By alias, in the graph's order. */
  readonly inputs: ReadonlyMap<string, TensorSpec>;
  readonly outputs: ReadonlyMap<string, TensorSpec>;
  /** Every input and output has a first dimension of any size: rows of several requests may share a run. */
  readonly joinable: boolean;
  /** Set where the one input takes serialised tf.Examples, which the server parses in the graph's place. */
  readonly exampleFeatures?: readonly ExampleFeature[] | undefined;
  /** Why this signature is described but cannot run. */
  readonly unsupported?: string | undefined;
}

/** By name. */
export type Signatures = ReadonlyMap<string, Signature>;

/** The one signature of an ONNX graph: its inputs and outputs as they are called there. */
export function signaturesOf(metadata: SessionMetadata): Signatures {
  return new Map([[DEFAULT_SIGNATURE, signatureOf(metadata)]]);
}

export function signatureOf({ inputs, outputs }: SessionMetadata): Signature {
  const specs = (values: readonly GraphValue[]) =>
    new Map(values.map((value) => [value.name, tensorSpec(value)]));
  const tensors = { inputs: specs(inputs), outputs: specs(outputs) };
  return {
    name: DEFAULT_SIGNATURE,
    methodName: PREDICT_METHOD_NAME,
    ...tensors,
    joinable: countsRows(tensors),
  };
}

/** True when every input and output has a first dimension of any size. */
export function countsRows({ inputs, outputs }: Pick<Signature, "inputs" | "outputs">): boolean {
  return [...inputs.values(), ...outputs.values()].every(({ shape }) => shape[0] === -1);
}

function tensorSpec({ name, type, shape }: GraphValue): TensorSpec {
  return {
    alias: name,
    graphName: name,
    tensorName: `${name}:0`,
    type,
    dtype: dtypeOf(type),
    shape: shape.map((size) => (typeof size === "number" ? size : -1)),
    unknownRank: false,
  };
}

/**
 * Checks that a request brings exactly the signature's inputs.
 *
 * @throws {ServeError} REQUEST_INVALID in TensorFlow Serving's words (tf-serving contract, predict_util.cc).
 */
export function checkInputNames(signature: Signature, given: ReadonlyMap<string, unknown>): void {
  const expected = signature.inputs;
  if (given.size !== expected.size) {
    const extra = [...given.keys()].filter((name) => !expected.has(name));
    const missing = [...expected.keys()].filter((name) => !given.has(name));
    throw new ServeError(
      "REQUEST_INVALID",
      `input size does not match signature: ${given.size}!=${expected.size} ` +
        `len(${nameSet(given.keys())}) != len(${nameSet(expected.keys())}). ` +
        `Sent extra: ${nameSet(extra)}. Missing but required: ${nameSet(missing)}.`,
    );
  }
  for (const [alias, { tensorName }] of expected) {
    if (given.has(alias)) continue;
    throw new ServeError(
      "REQUEST_INVALID",
      `Signature input alias: ${alias}(feed name: ${tensorName}) not found in request. ` +
        `Inputs in request: ${nameSet(given.keys())}. Inputs with defaults: {}.`,
    );
  }
}

/**
 * The outputs that a request wants; an empty filter wants all.
 *
 * @throws {ServeError} REQUEST_INVALID for an unknown or repeated alias.
 */
export function selectOutputs(signature: Signature, outputFilter: readonly string[]): readonly string[] {
  if (outputFilter.length === 0) return [...signature.outputs.keys()];
  const selected = new Set<string>();
  for (const alias of outputFilter) {
    if (!signature.outputs.has(alias)) {
      throw new ServeError(
        "REQUEST_INVALID",
        `output tensor alias not found in signature: ${alias} ` +
          `Outputs expected to be in the set ${nameSet(signature.outputs.keys())}.`,
      );
    }
    if (selected.has(alias)) {
      throw new ServeError("REQUEST_INVALID", `duplicate output tensor alias: ${alias}`);
    }
    selected.add(alias);
  }
  return [...selected];
}

/**
 * Checks dtypes, then shapes, of inputs whose names are checked.
 *
 * @throws {ServeError} TENSOR_INVALID; a wrong dtype in TensorFlow's words, its index among the sorted tensor names.
 */
export function checkTensors(signature: Signature, inputs: ReadonlyMap<string, Tensor>): void {
  const aliases = [...signature.inputs.values()]
    .sort((a, b) => (a.tensorName < b.tensorName ? -1 : 1))
    .map(({ alias }) => alias);
  for (const [index, alias] of aliases.entries()) {
    const { dtype } = specAndTensor(signature, inputs, alias).spec;
    const given = specAndTensor(signature, inputs, alias).tensor.dtype;
    if (given === dtype) continue;
    throw new ServeError(
      "TENSOR_INVALID",
      `Expects arg[${index}] to be ${dtypeName(dtype)} but ${dtypeName(given)} is provided`,
    );
  }
  for (const alias of aliases) {
    const { spec, tensor } = specAndTensor(signature, inputs, alias);
    if (fits(tensor.shape, spec.shape)) continue;
    throw new ServeError(
      "TENSOR_INVALID",
      `Input ${alias} had shape [${tensor.shape.join(",")}], expected [${spec.shape.join(",")}]`,
    );
  }
}

function specAndTensor(signature: Signature, inputs: ReadonlyMap<string, Tensor>, alias: string) {
  const spec = signature.inputs.get(alias);
  const tensor = inputs.get(alias);
  if (spec === undefined || tensor === undefined) throw new Error(`input ${alias} was not checked for`);
  return { spec, tensor };
}

function fits(shape: readonly number[], expected: readonly number[]): boolean {
  if (expected.length === 0) return true;
  return (
    shape.length === expected.length &&
    shape.every((size, axis) => expected[axis] === -1 || expected[axis] === size)
  );
}

function nameSet(names: Iterable<string>): string {
  return `{${[...names].sort().join(",")}}`;
}
