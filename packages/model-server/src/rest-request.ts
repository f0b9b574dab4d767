/** The body of a REST `:predict` as tensors, by TensorFlow Serving's rules for the row and the column form. */
import { ServeError } from "@vitrine/protocol/status";
import { DataType, dtypeName, type NumericData, type Tensor } from "@vitrine/protocol/tensor";
import { JsonDecimal, type JsonObject, type JsonValue, parseJson } from "./rest-json.js";
import { DEFAULT_SIGNATURE, type Signature, type TensorSpec } from "./signature.js";
import type { TensorMap } from "./tensor-batch.js";

/** `instances` is the row form, `inputs` the column form; the answer has the same. */
export type RestForm = "row" | "column";

export interface RestBody {
  readonly signatureName: string;
  readonly members: JsonObject;
}

/** Reads what can be read before the model is known. @throws {ServeError} REQUEST_INVALID */
export function parseRestBody(text: string): RestBody {
  const members = parseJson(text);
  if (!(members instanceof Map)) throw invalid("Request body was no JSON object, expected one");
  const signatureName = members.get("signature_name") ?? "";
  if (typeof signatureName !== "string") throw invalid("'signature_name' key must be a string value.");
  return { signatureName: signatureName === "" ? DEFAULT_SIGNATURE : signatureName, members };
}

/** @throws {ServeError} REQUEST_INVALID; METHOD_UNIMPLEMENTED for an input whose dtype JSON cannot carry. */
export function readRestInputs(
  { members }: RestBody,
  signature: Signature,
): { readonly form: RestForm; readonly inputs: TensorMap } {
  const instances = members.get("instances");
  const inputs = members.get("inputs");
  if (instances !== undefined && inputs !== undefined) {
    throw invalid("Not supported to have both 'instances' and 'inputs' keys");
  }
  if (instances !== undefined) return { form: "row", inputs: readRows(instances, signature) };
  if (inputs !== undefined) return { form: "column", inputs: readColumns(inputs, signature) };
  throw invalid("Missing 'inputs' or 'instances' key");
}

function readRows(instances: JsonValue, { inputs }: Signature): TensorMap {
  if (!Array.isArray(instances)) throw invalid("Expecting 'instances' value to be a list/array");
  const rows: readonly JsonValue[] = instances;
  const [first] = rows;
  if (first === undefined) throw invalid("No values in 'instances' list");
  const only = onlyInput(inputs);
  const named = isMembers(first, only !== undefined);
  if (!named && only === undefined) {
    throw invalid(
      `instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map: ${keysOf(inputs)}`,
    );
  }
  const builders = new Map([...inputs].map(([alias, spec]) => [alias, new TensorBuilder(spec)]));
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

function readColumns(columns: JsonValue, { inputs }: Signature): TensorMap {
  const only = onlyInput(inputs);
  if (only !== undefined && !isMembers(columns, true)) {
    return new Map([[only.alias, new TensorBuilder(only).whole(columns)]]);
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
      return [alias, new TensorBuilder(spec).whole(value)];
    }),
  );
}

/** True for an object of named inputs. `{"b64": "…"}` is a value where a model has one input only. */
function isMembers(value: JsonValue, oneInput: boolean): boolean {
  return value instanceof Map && !(oneInput && base64Of(value) !== undefined);
}

function base64Of(value: JsonObject): string | undefined {
  const text = value.size === 1 ? value.get("b64") : undefined;
  return typeof text === "string" ? text : undefined;
}

type Element = number | bigint | Uint8Array;

/** Collects the elements of one input and the shape that its lists have. */
class TensorBuilder {
  readonly #spec: TensorSpec;
  readonly #convert: (value: JsonValue) => Element;
  readonly #elements: Element[] = [];
  #rowShape: readonly number[] | undefined;

  constructor(spec: TensorSpec) {
    this.#spec = spec;
    this.#convert = converterOf(spec.dtype);
  }

  whole(value: JsonValue): Tensor {
    const shape = shapeOf(value);
    this.#fill(value, shape, 0);
    return this.#tensor(shape);
  }

  addRow(value: JsonValue): void {
    const shape = shapeOf(value);
    this.#rowShape ??= shape;
    if (
      shape.length !== this.#rowShape.length ||
      shape.some((size, axis) => size !== this.#rowShape?.[axis])
    ) {
      throw invalid(`Expecting shape [${this.#rowShape.join(",")}] but got: [${shape.join(",")}]`);
    }
    this.#fill(value, shape, 0);
  }

  rows(count: number): Tensor {
    return this.#tensor([count, ...(this.#rowShape ?? [])]);
  }

  #fill(value: JsonValue, shape: readonly number[], level: number): void {
    const size = shape[level];
    if (!Array.isArray(value)) {
      if (size !== undefined) {
        throw invalid(`Encountered value at incorrect level: ${level} expected a list of size: ${size}`);
      }
      this.#elements.push(this.#convert(value));
      return;
    }
    const items: readonly JsonValue[] = value;
    if (size === undefined) throw invalid(`Encountered list at incorrect level: ${level} expected a value`);
    if (items.length !== size) {
      throw invalid(
        `Encountered list at unexpected size: ${items.length} at level: ${level} expected size: ${size}`,
      );
    }
    for (const item of items) this.#fill(item, shape, level + 1);
  }

  #tensor(shape: readonly number[]): Tensor {
    return { dtype: this.#spec.dtype, shape, data: arrayOf(this.#spec.dtype, this.#elements) };
  }
}

/** Shape by the nesting of first members. */
function shapeOf(value: JsonValue): number[] {
  const shape: number[] = [];
  let inner: JsonValue | undefined = value;
  while (Array.isArray(inner)) {
    const items: readonly JsonValue[] = inner;
    shape.push(items.length);
    inner = items[0];
  }
  return shape;
}

function converterOf(dtype: DataType): (value: JsonValue) => Element {
  switch (dtype) {
    case DataType.DT_FLOAT:
    case DataType.DT_DOUBLE:
      return (value) => floatElement(value, dtype);
    case DataType.DT_INT32:
    case DataType.DT_INT16:
    case DataType.DT_INT8:
    case DataType.DT_UINT8:
      return (value) => smallIntegerElement(value, dtype, -(2 ** 31), 2 ** 31);
    case DataType.DT_UINT32:
      return (value) => smallIntegerElement(value, dtype, 0, 2 ** 32);
    case DataType.DT_INT64:
      return (value) => bigIntegerElement(value, dtype, -(2n ** 63n), 2n ** 63n);
    case DataType.DT_UINT64:
      return (value) => bigIntegerElement(value, dtype, 0n, 2n ** 64n);
    case DataType.DT_BOOL:
      return (value) => {
        if (typeof value !== "boolean") throw wrongType(value, dtype);
        return value ? 1 : 0;
      };
    case DataType.DT_STRING:
      return (value) => stringElement(value, dtype);
    default:
      return (value) => {
        throw new ServeError(
          "METHOD_UNIMPLEMENTED",
          `Conversion of JSON Value: ${textOf(value)} to type: ${dtypeName(dtype)}`,
        );
      };
  }
}

function floatElement(value: JsonValue, dtype: DataType): number {
  if (typeof value === "number") return value;
  if (value instanceof JsonDecimal) return value.value;
  if (typeof value === "bigint") return Number(value);
  throw wrongType(value, dtype);
}

function smallIntegerElement(value: JsonValue, dtype: DataType, least: number, beyond: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value >= beyond) {
    throw wrongType(value, dtype);
  }
  return value;
}

function bigIntegerElement(value: JsonValue, dtype: DataType, least: bigint, beyond: bigint): bigint {
  if (typeof value !== "bigint" && (typeof value !== "number" || !Number.isInteger(value))) {
    throw wrongType(value, dtype);
  }
  const exact = BigInt(value);
  if (exact < least || exact >= beyond) throw wrongType(value, dtype);
  return exact;
}

function stringElement(value: JsonValue, dtype: DataType): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  const base64 = value instanceof Map ? base64Of(value) : undefined;
  if (base64 === undefined) throw wrongType(value, dtype);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.replace(/=+$/, "").length % 4 === 1) {
    throw invalid("Unable to base64 decode");
  }
  return Buffer.from(base64, "base64");
}

function arrayOf(dtype: DataType, elements: readonly Element[]): NumericData | readonly Uint8Array[] {
  if (dtype === DataType.DT_STRING) return elements.filter((element) => element instanceof Uint8Array);
  if (dtype === DataType.DT_INT64) return BigInt64Array.from(elements.filter(isBigInt));
  if (dtype === DataType.DT_UINT64) return BigUint64Array.from(elements.filter(isBigInt));
  const numbers = elements.filter((element) => typeof element === "number");
  switch (dtype) {
    case DataType.DT_FLOAT:
      return Float32Array.from(numbers);
    case DataType.DT_DOUBLE:
      return Float64Array.from(numbers);
    case DataType.DT_INT32:
      return Int32Array.from(numbers);
    case DataType.DT_INT16:
      return Int16Array.from(numbers);
    case DataType.DT_INT8:
      return Int8Array.from(numbers);
    case DataType.DT_UINT32:
      return Uint32Array.from(numbers);
    case DataType.DT_HALF:
    case DataType.DT_UINT16:
      // No element of these can be written in JSON; only an empty list gets here.
      return Uint16Array.from(numbers);
    default:
      return Uint8Array.from(numbers);
  }
}

function isBigInt(element: Element): element is bigint {
  return typeof element === "bigint";
}

function onlyInput(inputs: ReadonlyMap<string, TensorSpec>): TensorSpec | undefined {
  const [first] = inputs.values();
  return inputs.size === 1 ? first : undefined;
}

function keysOf(inputs: ReadonlyMap<string, unknown>): string {
  return [...inputs.keys()].sort().join(",");
}

function wrongType(value: JsonValue, dtype: DataType): ServeError {
  return invalid(
    `JSON Value: ${textOf(value)} Type: ${typeWord(value)} is not of expected type: ${dtypeName(dtype)}`,
  );
}

/** The value as JSON, cut at 256 characters as TensorFlow Serving does. */
function textOf(value: JsonValue): string {
  const text =
    JSON.stringify(value, (_, member: unknown) => {
      if (member instanceof Map) return Object.fromEntries(member);
      if (member instanceof JsonDecimal)
        return Number.isInteger(member.value) ? member.value : String(member.value);
      return typeof member === "bigint" ? member.toString() : member;
    }) ?? "";
  return text.slice(0, 256);
}

function typeWord(value: JsonValue): string {
  if (value === null) return "Null";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return "String";
  if (Array.isArray(value)) return "Array";
  return value instanceof Map ? "Object" : "Number";
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
