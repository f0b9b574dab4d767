/** tf.Example to the dense tensors that a model's ParseExample would make of it. */
import { type Feature, Features } from "@vitrine/protocol/gen/tensorflow/core/example/feature";
import { MessageReader } from "@vitrine/protocol/message-reader";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, dtypeName, elementCount, type Tensor, type TensorData } from "@vitrine/protocol/tensor";
import type { TensorMap } from "../engine/tensor-batch.js";
import type { ExampleFeature, Signature, TensorSpec } from "../signature.js";

type Values = readonly (number | bigint | Uint8Array)[];

/** The signature as its session is fed: one input for each feature, by the name it has in the graph. */
export function signatureOfFeatures(signature: Signature, features: readonly ExampleFeature[]): Signature {
  const inputs = features.map(({ graphName, type, shape }): [string, TensorSpec] => [
    graphName,
    {
      alias: graphName,
      graphName,
      tensorName: `${graphName}:0`,
      type: type === DataType.DT_STRING ? "string" : type === DataType.DT_INT64 ? "int64" : "float32",
      dtype: type,
      shape: [-1, ...shape],
      unknownRank: false,
    },
  ]);
  const outputs = [...signature.outputs.values()];
  return { ...signature, inputs: new Map(inputs), joinable: outputs.every(({ shape }) => shape[0] === -1) };
}

/**
 * Parses serialised examples.
 *
 * @returns by graph name, [examples, ...shape of the feature].
 * @throws {ServeError} REQUEST_INVALID in TensorFlow's words (ParseExampleV2 of 2.21, measured).
 */
export function readExamples(
  serialised: readonly Uint8Array[],
  features: readonly ExampleFeature[],
): TensorMap {
  const examples = serialised.map(decodeExample);
  return new Map(features.map((feature) => [feature.graphName, denseTensor(feature, examples)]));
}

type FeatureMap = ReadonlyMap<string, Feature>;

/** `Example.features`, a message. */
const FEATURES_TAG = (1 << 3) | 2;

/** What stands twice is merged, as protobuf's own parsers do: an example may be two, one behind the other. */
function decodeExample(bytes: Uint8Array): FeatureMap {
  const merged = new Map<string, Feature>();
  try {
    const reader = new MessageReader(bytes);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === FEATURES_TAG) {
        for (const [name, feature] of Features.decode(reader, reader.uint32()).feature)
          merged.set(name, feature);
      } else {
        reader.skip(tag & 7, tag >>> 3);
      }
    }
    return merged;
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    throw new ServeError("REQUEST_INVALID", "Could not parse example input, value was no tf.Example", {
      cause,
    });
  }
}

function denseTensor(
  { name, type, shape, defaultValue }: ExampleFeature,
  examples: readonly FeatureMap[],
): Tensor {
  const perExample = elementCount(shape);
  const rows = examples.map((features, index): Values => {
    const kind = features.get(name)?.kind;
    if (kind === undefined) {
      if (defaultValue !== undefined) return defaultsOf(defaultValue, perExample);
      throw invalid(
        `Name: <unknown>, Feature: ${name} (data type: ${dtypeName(type)}) is required but could not be found.`,
      );
    }
    const given = DTYPE_OF_KIND[kind.$case];
    const where = `Name: <unknown>, Key: ${name}, Index: ${index}.  `;
    if (given !== type) {
      throw invalid(
        `${where}Data types don't match. Data type: ${dtypeName(given)} but expected type: ${dtypeName(type)}`,
      );
    }
    const values = kind.value.value;
    if (values.length !== perExample) {
      throw invalid(
        `${where}Number of ${dtypeName(type)} values != expected.  Values size: ${values.length} but output shape: [${shape.join(",")}]`,
      );
    }
    return values;
  });
  return { dtype: type, shape: [examples.length, ...shape], data: dataOf(type, rows, perExample) };
}

const DTYPE_OF_KIND = {
  bytesList: DataType.DT_STRING,
  floatList: DataType.DT_FLOAT,
  int64List: DataType.DT_INT64,
} as const;

/** One default stands for every element. */
function defaultsOf(given: Values, elements: number): Values {
  if (given.length === elements) return given;
  const [only] = given;
  if (only === undefined || given.length !== 1) throw new Error("a feature's default does not fit its shape");
  return Array.from({ length: elements }, () => only);
}

function dataOf(type: DataType, rows: readonly Values[], perExample: number): TensorData {
  if (type === DataType.DT_STRING) {
    return rows.flatMap((row) => [...row].filter((value) => value instanceof Uint8Array));
  }
  const elements = rows.length * perExample;
  const data = type === DataType.DT_INT64 ? new BigInt64Array(elements) : new Float32Array(elements);
  let index = 0;
  for (const row of rows) {
    for (const value of row) {
      if (data instanceof BigInt64Array) {
        if (typeof value !== "object") data[index++] = BigInt(value);
      } else if (typeof value === "number") {
        data[index++] = value;
      }
    }
  }
  return data;
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
