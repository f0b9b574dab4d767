/** Bodies of the Open Inference Protocol over HTTP: JSON, with the binary tensors that Triton's extension puts behind it. */
import { ServeError } from "@vitrine/protocol/status";
import { DataType, elementCount, type Tensor } from "@vitrine/protocol/tensor";
import { JsonNumbers, type JsonObject, type JsonValue, parseJson } from "../rest/rest-json.js";
import { writeFlatValues } from "../rest/rest-response.js";
import { TensorBuilder } from "../rest/rest-tensor.js";
import type { Inferred, NamedTensor, RequestedOutput } from "./inference-protocol.js";
import {
  checkedShape,
  datatypeName,
  dtypeOfDatatype,
  hasContentsForm,
  rawOfTensor,
  tensorFromRaw,
} from "./inference-tensors.js";

export interface InferenceBody {
  readonly id: string | undefined;
  /** A parameter of ours. */
  readonly signatureName: string | undefined;
  /** Reads the tensors. @throws {ServeError} TENSOR_INVALID, REQUEST_INVALID. */
  inputs(): readonly NamedTensor[];
  readonly outputs: readonly InferenceOutput[];
  /** Whether outputs go behind the JSON that do not say so themselves. */
  readonly binaryByDefault: boolean;
}

interface InferenceOutput extends RequestedOutput {
  readonly binary: boolean | undefined;
}

/**
 * @param headerLength value of Inference-Header-Content-Length; without it the body is JSON to its end.
 * @throws {ServeError} REQUEST_INVALID
 */
export function readInferenceBody(
  bytes: Buffer,
  headerLength: string | readonly string[] | undefined,
): InferenceBody {
  const jsonBytes = headerLength === undefined ? bytes.byteLength : Number(headerLength);
  if (!Number.isInteger(jsonBytes) || jsonBytes < 0 || jsonBytes > bytes.byteLength) {
    throw invalid(
      `Inference-Header-Content-Length was ${headerLength}, expected at most ${bytes.byteLength}`,
    );
  }
  const json = bytes.subarray(0, jsonBytes);
  const body = objectOf(parseJson(json), "the request");
  const parameters = parametersOf(body);
  const binary = bytes.subarray(jsonBytes);
  const outputs = listOf(body.get("outputs"), "'outputs'").map((value): InferenceOutput => {
    const output = objectOf(value, "an output");
    const own = parametersOf(output);
    const classes = own.get("classification");
    const isBinary = own.get("binary_data");
    return {
      name: textOf(output.get("name"), "an output's 'name'"),
      classes: typeof classes === "number" && classes > 0 ? classes : undefined,
      binary: typeof isBinary === "boolean" ? isBinary : undefined,
    };
  });
  const id = body.get("id");
  const signatureName = parameters.get("signature_name");
  const inputs = body.get("inputs");
  if (inputs === undefined) throw invalid("Unable to parse 'inputs': expected a list of tensors");
  return {
    id: typeof id === "string" ? id : undefined,
    signatureName: typeof signatureName === "string" ? signatureName : undefined,
    inputs: () => inputsOf(listOf(inputs, "'inputs'"), json, binary),
    outputs,
    binaryByDefault: parameters.get("binary_data_output") === true,
  };
}

function inputsOf(values: readonly JsonValue[], json: Buffer, binary: Buffer): NamedTensor[] {
  let offset = 0;
  const inputs = values.map((value) => {
    const input = objectOf(value, "an input");
    const name = textOf(input.get("name"), "an input's 'name'");
    const datatype = textOf(input.get("datatype"), `'datatype' of input '${name}'`);
    const dtype = dtypeOfDatatype(datatype);
    if (dtype === undefined) {
      throw new ServeError("TENSOR_INVALID", `inference input '${name}' had unknown data-type '${datatype}'`);
    }
    const shape = checkedShape(name, numbersOf(input.get("shape"), `'shape' of input '${name}'`));
    const parameters = parametersOf(input);
    if (parameters.has("shared_memory_region")) {
      throw new ServeError(
        "METHOD_UNIMPLEMENTED",
        "shared memory is not supported, expected tensors in the request",
      );
    }
    const size = parameters.get("binary_data_size");
    if (size === undefined)
      return { name, tensor: tensorFromJson(name, dtype, shape, input.get("data"), json) };
    if (
      typeof size !== "number" ||
      !Number.isInteger(size) ||
      size < 0 ||
      offset + size > binary.byteLength
    ) {
      throw invalid(
        `binary_data_size of input '${name}' went beyond the ${binary.byteLength} bytes behind the JSON`,
      );
    }
    offset += size;
    return { name, tensor: tensorFromRaw(name, dtype, shape, binary.subarray(offset - size, offset)) };
  });
  if (offset !== binary.byteLength) {
    throw invalid(`${binary.byteLength} bytes stood behind the JSON, of which inputs claimed ${offset}`);
  }
  return inputs;
}

/** `data` is flat or nested, row-major; only the number of elements counts. */
function tensorFromJson(
  name: string,
  dtype: DataType,
  shape: readonly number[],
  data: JsonValue | undefined,
  json: Buffer,
): Tensor {
  if (data === undefined) throw invalid(`input '${name}' had no 'data', expected a list`);
  if (!hasContentsForm(dtype)) {
    throw new ServeError(
      "TENSOR_INVALID",
      `input '${name}' of ${datatypeName(dtype)} was expected as binary data`,
    );
  }
  // 16-bit integers have no rule of their own in TensorFlow's JSON; here they are as any others.
  const readAs = dtype === DataType.DT_UINT16 ? DataType.DT_INT32 : dtype;
  const tensor = new TensorBuilder(readAs, json).whole(data);
  const elements = elementCount(tensor.shape);
  if (elements !== elementCount(shape)) {
    throw new ServeError(
      "TENSOR_INVALID",
      `input '${name}' got ${elements} elements, expected ${elementCount(shape)} for shape [${shape.join(",")}]`,
    );
  }
  if (dtype === DataType.DT_UINT16 && tensor.data instanceof Int32Array) {
    return { dtype, shape, data: Uint16Array.from(tensor.data) };
  }
  return { dtype, shape, data: tensor.data };
}

/** @returns the JSON text, and what goes behind it. */
export function writeInferenceAnswer(
  model: string,
  { id, outputs: requested, binaryByDefault }: InferenceBody,
  { servable, outputs }: Inferred,
): { readonly json: string; readonly binary: readonly Uint8Array[] } {
  const binary: Uint8Array[] = [];
  const texts = outputs.map(({ name, tensor }, index) => {
    const head = `"name":${JSON.stringify(name)},"datatype":"${datatypeName(tensor.dtype)}","shape":[${tensor.shape.join(",")}]`;
    if (!(requested[index]?.binary ?? binaryByDefault)) {
      if (!hasContentsForm(tensor.dtype)) {
        throw new ServeError(
          "REQUEST_INVALID",
          `output '${name}' of ${datatypeName(tensor.dtype)} travels as binary data only`,
        );
      }
      return `{${head},"data":[${writeFlatValues(name, tensor)}]}`;
    }
    const bytes = rawOfTensor(tensor);
    binary.push(bytes);
    return `{${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
  });
  const idText = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
  const json = `{${idText}"model_name":${JSON.stringify(model)},"model_version":"${servable.version}","outputs":[${texts.join(",")}]}`;
  return { json, binary };
}

function parametersOf(object: JsonObject): JsonObject {
  const parameters = object.get("parameters");
  return parameters === undefined ? new Map() : objectOf(parameters, "'parameters'");
}

function objectOf(value: JsonValue, what: string): JsonObject {
  if (!(value instanceof Map)) throw invalid(`${what} was no JSON object, expected one`);
  return value;
}

function listOf(value: JsonValue | undefined, what: string): readonly JsonValue[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(`${what} was no list, expected one`);
  return value;
}

function numbersOf(value: JsonValue | undefined, what: string): readonly number[] {
  if (value instanceof JsonNumbers && value.shape.length === 1) return Array.from(value.values);
  if (Array.isArray(value) && value.length === 0) return [];
  throw invalid(`${what} was no list of numbers, expected one`);
}

function textOf(value: JsonValue | undefined, what: string): string {
  if (typeof value !== "string") throw invalid(`${what} was no text, expected one`);
  return value;
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
