/** What a model takes and gives, as its signature `serving_default`, and whether a request fits it. */
import { ServeError } from "@vitrine/protocol/status";
import { type DataType, dtypeName, type Tensor } from "@vitrine/protocol/tensor";
import { dtypeOf } from "./element-types.js";
import type { ElementType, GraphValue, SessionMetadata } from "./worker-messages.js";

/** Used when a request names none; ONNX models have no other. */
export const DEFAULT_SIGNATURE = "serving_default";

export const PREDICT_METHOD_NAME = "tensorflow/serving/predict";

/** One input or output. The alias is the graph's own name. */
export interface TensorSpec {
  readonly alias: string;
  readonly type: ElementType;
  readonly dtype: DataType;
  /** -1 = any size. [] is a scalar, or a graph that does not say; ONNX Runtime has the last word on it. */
  readonly shape: readonly number[];
}

export interface Signature {
  /** By alias, in the graph's order. */
  readonly inputs: ReadonlyMap<string, TensorSpec>;
  readonly outputs: ReadonlyMap<string, TensorSpec>;
  /** Every input and output has a first dimension of any size: rows of several requests may share a run. */
  readonly joinable: boolean;
}

export function signatureOf({ inputs, outputs }: SessionMetadata): Signature {
  const specs = (values: readonly GraphValue[]) =>
    new Map(values.map((value) => [value.name, tensorSpec(value)]));
  const signature = { inputs: specs(inputs), outputs: specs(outputs) };
  const all = [...signature.inputs.values(), ...signature.outputs.values()];
  return { ...signature, joinable: all.every(({ shape }) => shape[0] === -1) };
}

function tensorSpec({ name, type, shape }: GraphValue): TensorSpec {
  return {
    alias: name,
    type,
    dtype: dtypeOf(type),
    shape: shape.map((size) => (typeof size === "number" ? size : -1)),
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
  for (const alias of expected.keys()) {
    if (given.has(alias)) continue;
    throw new ServeError(
      "REQUEST_INVALID",
      `Signature input alias: ${alias}(feed name: ${alias}:0) not found in request. ` +
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
 * @throws {ServeError} TENSOR_INVALID; a wrong dtype in TensorFlow's words, its index among the sorted names.
 */
export function checkTensors(signature: Signature, inputs: ReadonlyMap<string, Tensor>): void {
  const aliases = [...signature.inputs.keys()].sort();
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
