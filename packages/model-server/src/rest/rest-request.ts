/** The body of a REST `:predict` as tensors, by TensorFlow Serving's rules for the row and the column form. */
import { ServeError } from "@vitrine/protocol/status";
import type { TensorMap } from "../engine/tensor-batch.js";
import { DEFAULT_SIGNATURE, type Signature, type TensorSpec } from "../signature.js";
import { JsonNumbers, type JsonObject, type JsonValue, parseJson, plainArray } from "./rest-json.js";
import { base64Of, TensorBuilder, tensorOfNumbers } from "./rest-tensor.js";

/** `instances` is the row form, `inputs` the column form; the answer has the same. */
export type RestForm = "row" | "column";

export interface RestBody {
  readonly signatureName: string;
  readonly members: JsonObject;
  /** What `members` was read from. */
  readonly bytes: Buffer;
}

/** What of a signature says how a body is read. */
export type InputSpecs = Pick<Signature, "inputs">;

/** Reads what can be read before the model is known. @throws {ServeError} REQUEST_INVALID */
export function parseRestBody(bytes: Buffer): RestBody {
  const members = parseJson(bytes);
  if (!(members instanceof Map)) throw invalid("Request body was no JSON object, expected one");
  const signatureName = members.get("signature_name") ?? "";
  if (typeof signatureName !== "string") throw invalid("'signature_name' key must be a string value.");
  return { signatureName: signatureName === "" ? DEFAULT_SIGNATURE : signatureName, members, bytes };
}

/** @throws {ServeError} REQUEST_INVALID; METHOD_UNIMPLEMENTED for an input whose dtype JSON cannot carry. */
export function readRestInputs(
  { members, bytes }: RestBody,
  signature: InputSpecs,
): { readonly form: RestForm; readonly inputs: TensorMap } {
  const instances = members.get("instances");
  const inputs = members.get("inputs");
  if (instances !== undefined && inputs !== undefined) {
    throw invalid("Not supported to have both 'instances' and 'inputs' keys");
  }
  if (instances !== undefined) return { form: "row", inputs: readRows(bytes, instances, signature) };
  if (inputs !== undefined) return { form: "column", inputs: readColumns(bytes, inputs, signature) };
  throw invalid("Missing 'inputs' or 'instances' key");
}

/**
 * The same for the signature that the body names.
 *
 * @throws {ServeError} REQUEST_INVALID when the model has no such signature: not the code of gRPC's Predict.
 */
export function readSignedInputs(
  body: RestBody,
  signatures: ReadonlyMap<string, InputSpecs>,
): { readonly form: RestForm; readonly inputs: TensorMap } {
  const signature = signatures.get(body.signatureName);
  if (signature === undefined) {
    throw invalid(`Serving signature name: "${body.signatureName}" not found in signature def`);
  }
  return readRestInputs(body, signature);
}

function readRows(bytes: Buffer, instances: JsonValue, { inputs }: InputSpecs): TensorMap {
  const only = onlyInput(inputs);
  if (only !== undefined && instances instanceof JsonNumbers) {
    const tensor = tensorOfNumbers(only.dtype, instances);
    if (tensor !== undefined) return new Map([[only.alias, tensor]]);
  }
  const rows = instances instanceof JsonNumbers ? plainArray(bytes, instances) : instances;
  if (!isArray(rows)) throw invalid("Expecting 'instances' value to be a list/array");
  const [first] = rows;
  if (first === undefined) throw invalid("No values in 'instances' list");
  const named = isMembers(first, only !== undefined);
  if (!named && only === undefined) {
    throw invalid(
      `instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map: ${keysOf(inputs)}`,
    );
  }
  const builders = new Map([...inputs].map(([alias, spec]) => [alias, new TensorBuilder(spec.dtype, bytes)]));
  for (const [index, row] of rows.entries()) {
    if (isMembers(row, only !== undefined) !== named) {
      const expected = named ? "object but got list" : "value/list but got object";
      throw invalid(`Expecting ${expected} at item ${index} of input list`);
    }
    if (row instanceof Map) {
      if (named) addNamedRow(builders, row, index);
      else only !== undefined && addRow(builders, only.alias, row, index, false);
    } else if (only !== undefined) addRow(builders, only.alias, row, index, false);
  }
  return new Map([...builders].map(([alias, builder]) => [alias, builder.rows(rows.length)]));
}

function addNamedRow(builders: ReadonlyMap<string, TensorBuilder>, row: JsonObject, index: number): void {
  for (const [alias, value] of row) {
    if (!builders.has(alias)) throw invalid(`JSON object: does not have named input: ${alias}`);
    addRow(builders, alias, value, index, true);
  }
  if (row.size !== builders.size) {
    throw invalid(
      `Failed to process element: ${index} of 'instances' list. JSON object keys must be equal to: ${keysOf(builders)}`,
    );
  }
}

function addRow(
  builders: ReadonlyMap<string, TensorBuilder>,
  alias: string,
  value: JsonValue,
  index: number,
  named: boolean,
): void {
  try {
    builders.get(alias)?.addRow(value);
  } catch (error) {
    const { reason, code, message } = ServeError.from(error);
    const element = named ? `${index} key: ${alias}` : `${index}`;
    throw new ServeError(
      reason,
      `Failed to process element: ${element} of 'instances' list. Error: ${code}: ${message}`,
      { cause: error, code },
    );
  }
}

function readColumns(bytes: Buffer, columns: JsonValue, { inputs }: InputSpecs): TensorMap {
  const only = onlyInput(inputs);
  if (only !== undefined && !isMembers(columns, true)) {
    return new Map([[only.alias, new TensorBuilder(only.dtype, bytes).whole(columns)]]);
  }
  if (!(columns instanceof Map)) {
    throw invalid(
      `inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map: ${keysOf(inputs)}`,
    );
  }
  const members: JsonObject = columns;
  return new Map(
    [...inputs].map(([alias, spec]) => {
      const value = members.get(alias);
      if (value === undefined) throw invalid(`Missing named input: ${alias} in 'inputs' object.`);
      return [alias, new TensorBuilder(spec.dtype, bytes).whole(value)];
    }),
  );
}

/** Array.isArray does not narrow to readonly arrays. */
function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** True for an object of named inputs. `{"b64": "…"}` is a value where a model has one input only. */
function isMembers(value: JsonValue, oneInput: boolean): boolean {
  return value instanceof Map && !(oneInput && base64Of(value) !== undefined);
}

function onlyInput(inputs: ReadonlyMap<string, TensorSpec>): TensorSpec | undefined {
  const [first] = inputs.values();
  return inputs.size === 1 ? first : undefined;
}

function keysOf(inputs: ReadonlyMap<string, unknown>): string {
  return [...inputs.keys()].sort().join(",");
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
