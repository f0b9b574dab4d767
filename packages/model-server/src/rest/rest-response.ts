/** Outputs as the JSON text that TensorFlow Serving's REST API answers. */
import { ServeError } from "@vitrine/protocol/status";
import { DataType, dtypeName, type Tensor } from "@vitrine/protocol/tensor";
import type { TensorMap } from "../engine/tensor-batch.js";
import type { RestForm } from "./rest-request.js";

/**
 * Row form: `{"predictions": [row, …]}`, each row the bare value of a single output or an object by alias. Column
 * form: `{"outputs": tensor}` or an object by alias.
 *
 * @throws {ServeError} REQUEST_INVALID for outputs that the form cannot carry.
 */
export function writeRestOutputs(form: RestForm, outputs: TensorMap): string {
  return form === "row"
    ? `{\n    "predictions": ${rows(outputs)}\n}`
    : `{\n    "outputs": ${columns(outputs)}\n}`;
}

function rows(outputs: TensorMap): string {
  const count = commonRows(outputs);
  const values = [...outputs].map(([alias, tensor]) => ({ alias, writer: new ValueWriter(alias, tensor) }));
  const texts = Array.from({ length: count }, (_, row) => {
    const members = values.map(({ alias, writer }) => ({ alias, text: writer.row(row) }));
    const [only] = members;
    return members.length === 1 && only !== undefined ? only.text : objectText(members);
  });
  return `[${texts.join(", ")}\n    ]`;
}

function columns(outputs: TensorMap): string {
  const members = [...outputs].map(([alias, tensor]) => ({
    alias,
    text: new ValueWriter(alias, tensor).whole(),
  }));
  const [only] = members;
  return members.length === 1 && only !== undefined ? only.text : objectText(members);
}

function objectText(members: readonly { alias: string; text: string }[]): string {
  const lines = members.map(({ alias, text }) => `        ${JSON.stringify(alias)}: ${text}`);
  return `{\n${lines.join(",\n")}\n    }`;
}

function commonRows(outputs: TensorMap): number {
  let common: number | undefined;
  for (const [alias, { shape }] of outputs) {
    const [count] = shape;
    if (count === undefined) throw refused(`Tensor name: ${alias} has no shape information`);
    common ??= count;
    if (count !== common) {
      throw refused(`Tensor name: ${alias} has inconsistent batch size: ${count} expecting: ${common}`);
    }
  }
  return common ?? 0;
}

/** All elements, row-major, without nesting. @throws {ServeError} REQUEST_INVALID for a dtype that JSON cannot carry. */
export function writeFlatValues(alias: string, tensor: Tensor): string {
  const element = elementWriter(alias, tensor);
  return Array.from({ length: tensor.data.length }, (_, index) => element(index)).join(",");
}

/** A float32 as TensorFlow Serving writes it. */
export function float32Text(value: number): string {
  return floatText(value, Math.fround, 9);
}

class ValueWriter {
  readonly #shape: readonly number[];
  readonly #element: (index: number) => string;

  constructor(alias: string, tensor: Tensor) {
    this.#shape = tensor.shape;
    this.#element = elementWriter(alias, tensor);
  }

  whole(): string {
    return this.#nested(this.#shape, 0);
  }

  row(index: number): string {
    const shape = this.#shape.slice(1);
    return this.#nested(shape, index * shape.reduce((product, size) => product * size, 1));
  }

  #nested(shape: readonly number[], offset: number): string {
    const [size, ...inner] = shape;
    if (size === undefined) return this.#element(offset);
    const step = inner.reduce((product, count) => product * count, 1);
    const items = Array.from({ length: size }, (_, index) => this.#nested(inner, offset + index * step));
    return `[${items.join(", ")}]`;
  }
}

const INTEGERS: ReadonlySet<DataType> = new Set([
  DataType.DT_INT8,
  DataType.DT_INT16,
  DataType.DT_INT32,
  DataType.DT_INT64,
  DataType.DT_UINT8,
  DataType.DT_UINT32,
  DataType.DT_UINT64,
]);

function elementWriter(alias: string, { dtype, data }: Tensor): (index: number) => string {
  if (!ArrayBuffer.isView(data)) {
    const asBase64 = alias.endsWith("_bytes");
    return (index) => {
      const bytes = Buffer.from(data[index] ?? []);
      return asBase64 ? `{"b64": "${bytes.toString("base64")}"}` : JSON.stringify(bytes.toString("utf8"));
    };
  }
  if (dtype === DataType.DT_FLOAT) return (index) => float32Text(Number(data[index]));
  if (dtype === DataType.DT_DOUBLE) return (index) => floatText(Number(data[index]), Number, 17);
  if (dtype === DataType.DT_BOOL) return (index) => (data[index] === 0 ? "false" : "true");
  if (INTEGERS.has(dtype)) return (index) => String(data[index]);
  throw refused(`Failed to write JSON value for tensor type: ${dtypeName(dtype)} (${alias})`);
}

/**
 * `%g` with 6 digits where that reads back as the same value, else with `digits`; whole numbers get `.0`;
 * `NaN`, `Infinity`, `-Infinity` as bare words.
 */
function floatText(value: number, round: (value: number) => number, digits: number): string {
  if (!Number.isFinite(value)) return String(value);
  // Six digits hold it as it is.
  if (Number.isInteger(value) && Math.abs(value) < 1e6 && !Object.is(value, -0)) return `${value}.0`;
  const short = percentG(value, 6);
  const text = round(Number(short)) === value ? short : percentG(value, digits);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** C's `%.<digits>g`. */
function percentG(value: number, digits: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", exponentText = "0"] = value.toExponential(digits - 1).split("e");
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < digits) return stripZeros(value.toFixed(digits - 1 - exponent));
  const sign = exponent < 0 ? "-" : "+";
  return `${stripZeros(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function stripZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function refused(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
