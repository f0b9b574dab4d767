/** The bodies of REST's `:classify` and `:regress`: tf.Examples written as JSON objects, and results as lists. */
import type { Example } from "@vitrine/protocol/gen/tensorflow/core/example/example";
import type { Feature } from "@vitrine/protocol/gen/tensorflow/core/example/feature";
import type { ClassificationResult } from "@vitrine/protocol/gen/tensorflow_serving/apis/classification";
import type { Input } from "@vitrine/protocol/gen/tensorflow_serving/apis/input";
import type { RegressionResult } from "@vitrine/protocol/gen/tensorflow_serving/apis/regression";
import { ServeError } from "@vitrine/protocol/status";
import { JsonDecimal, JsonNumbers, type JsonObject, type JsonValue, plainArray } from "./rest-json.js";
import type { RestBody } from "./rest-request.js";
import { float32Text } from "./rest-response.js";
import { base64Of, bytesOfBase64, typeWord } from "./rest-tensor.js";

/** @throws {ServeError} REQUEST_INVALID */
export function readRestExamples({ members, bytes }: RestBody): Input {
  const list = members.get("examples");
  if (list === undefined) throw invalid("When method is classify/regress, key 'examples' is expected");
  if (!Array.isArray(list)) throw invalid("Expecting 'examples' value to be a list/array");
  const values: readonly JsonValue[] = list;
  if (values.length === 0) throw invalid("No values in 'examples' list");
  const examples = values.map((value, index) => exampleOf(value, bytes, `Example ${index}`));
  const contextValue = members.get("context");
  if (contextValue === undefined) {
    return { kind: { $case: "exampleList", value: { examples } } };
  }
  const context = exampleOf(contextValue, bytes, "Context");
  return { kind: { $case: "exampleListWithContext", value: { examples, context } } };
}

function exampleOf(value: JsonValue, bytes: Buffer, what: string): Example {
  if (!(value instanceof Map)) throw invalid(`${what} must be JSON object but got JSON ${typeWord(value)}`);
  const members: JsonObject = value;
  const feature = new Map([...members].map(([name, member]) => [name, featureOf(member, bytes, name)]));
  return { features: { feature } };
}

function featureOf(value: JsonValue, bytes: Buffer, name: string): Feature {
  const list = value instanceof JsonNumbers ? plainArray(bytes, value) : value;
  const values: readonly JsonValue[] = Array.isArray(list) ? list : [list];
  const elements = values.map((element) => elementOf(element, name));
  const floats: number[] = [];
  const integers: bigint[] = [];
  const texts: Uint8Array[] = [];
  for (const element of elements) {
    if (typeof element === "bigint") integers.push(element);
    else if (typeof element === "number") floats.push(element);
    else texts.push(element);
  }
  if ([floats, integers, texts].filter(({ length }) => length > 0).length > 1) {
    throw invalid(`Unexpected mix of kinds of values in feature: ${name}`);
  }
  if (floats.length > 0) return { kind: { $case: "floatList", value: { value: floats } } };
  if (integers.length > 0) return { kind: { $case: "int64List", value: { value: integers } } };
  return { kind: texts.length > 0 ? { $case: "bytesList", value: { value: texts } } : undefined };
}

/** A float is a number written with a point or an exponent: 1.0, not 1. */
function elementOf(value: JsonValue, name: string): number | bigint | Uint8Array {
  if (value instanceof JsonDecimal) return value.value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (typeof value === "number" && !Number.isInteger(value)) return value;
  if (typeof value === "number" || typeof value === "bigint") {
    const exact = BigInt(value);
    if (exact >= -(2n ** 63n) && exact < 2n ** 63n) return exact;
    throw invalid(`Number is out of range of int64 in feature: ${name}`);
  }
  const base64 = value instanceof Map ? base64Of(value) : undefined;
  if (base64 === undefined) {
    throw invalid(
      `Unexpected JSON ${typeWord(value)} in feature: ${name}, expected a number, a string or a list of those`,
    );
  }
  return bytesOfBase64(base64);
}

/** `{"results": [[["label", score], …], …]}` */
export function writeClassifications({ classifications }: ClassificationResult): string {
  const rows = classifications.map(
    ({ classes }) =>
      `[${classes.map(({ label, score }) => `[${JSON.stringify(label)}, ${float32Text(score)}]`).join(", ")}]`,
  );
  return resultsText(rows);
}

/** `{"results": [value, …]}` */
export function writeRegressions({ regressions }: RegressionResult): string {
  return resultsText(regressions.map(({ value }) => float32Text(value)));
}

function resultsText(rows: readonly string[]): string {
  return `{\n    "results": [${rows.join(", ")}\n    ]\n}`;
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
