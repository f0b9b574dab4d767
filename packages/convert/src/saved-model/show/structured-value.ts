/** Arguments of functions in a SavedModel, as TensorFlow prints them. */
import { ServeError } from "@vitrine/protocol/status";
import type { TensorShapeProto } from "../../gen/tensorflow/core/framework/tensor_shape.js";
import { DataType } from "../../gen/tensorflow/core/framework/types.js";
import {
  TypeSpecProto_TypeSpecClass as SpecClass,
  type StructuredValue,
  type TensorSpecProto,
  type TypeSpecProto,
} from "../../gen/tensorflow/core/protobuf/struct.js";
import { compareCodePoints, floatRepr, stringRepr } from "./python-text.js";

const SPEC_NAMES: ReadonlyMap<number, string> = new Map([
  [SpecClass.SPARSE_TENSOR_SPEC, "SparseTensorSpec"],
  [SpecClass.INDEXED_SLICES_SPEC, "IndexedSlicesSpec"],
  [SpecClass.RAGGED_TENSOR_SPEC, "RaggedTensorSpec"],
  [SpecClass.TENSOR_ARRAY_SPEC, "TensorArraySpec"],
  [SpecClass.DATA_DATASET_SPEC, "DatasetSpec"],
  [SpecClass.DATA_ITERATOR_SPEC, "IteratorSpec"],
  [SpecClass.OPTIONAL_SPEC, "OptionalSpec"],
  [SpecClass.PER_REPLICA_SPEC, "PerReplicaSpec"],
  [SpecClass.VARIABLE_SPEC, "VariableSpec"],
  [SpecClass.ROW_PARTITION_SPEC, "RowPartitionSpec"],
]);

/** Names of types in Python where they are not TensorFlow's own. */
const DTYPE_NAMES: Readonly<Record<string, string>> = {
  float: "float32",
  double: "float64",
  half: "float16",
};

const BY_NUMBER = new Map<number, string>(Object.entries(DataType).map(([name, number]) => [number, name]));

/** Name of a type's number in protobuf, such as DT_FLOAT. @throws {ServeError} MODEL_INVALID for no such number. */
export function dtypeEnumName(dtype: number): string {
  const name = BY_NUMBER.get(dtype);
  if (name === undefined) throw new ServeError("MODEL_INVALID", `a dtype was ${dtype}, expected a known one`);
  return name;
}

function dtypeName(dtype: number): string {
  const name = dtypeEnumName(dtype).slice("DT_".length).toLowerCase();
  return DTYPE_NAMES[name] ?? name;
}

/** `type(value).__name__`. */
export function typeName(value: StructuredValue): string {
  const { kind } = value;
  switch (kind?.$case) {
    case "float64Value":
      return "float";
    case "int64Value":
      return "int";
    case "stringValue":
      return "str";
    case "boolValue":
      return "bool";
    case "tensorShapeValue":
      return "TensorShape";
    case "tensorDtypeValue":
      return "DType";
    case "tensorSpecValue":
      return "TensorSpec";
    case "boundedTensorSpecValue":
      return "BoundedTensorSpec";
    case "typeSpecValue":
      return specName(kind.value);
    case "listValue":
      return "list";
    case "tupleValue":
      return "tuple";
    case "dictValue":
      return "dict";
    case "namedTupleValue":
      return kind.value.name;
    default:
      return "NoneType";
  }
}

/** `str(value)`. */
export function valueText(value: StructuredValue): string {
  const { kind } = value;
  if (kind?.$case === "stringValue") return kind.value;
  if (kind?.$case === "tensorDtypeValue") return `<dtype: '${dtypeName(kind.value)}'>`;
  if (kind?.$case === "tensorShapeValue") return shapeText(kind.value);
  return valueRepr(value);
}

/** `repr(value)`. */
function valueRepr(value: StructuredValue | undefined): string {
  const kind = value?.kind;
  switch (kind?.$case) {
    case "float64Value":
      return floatRepr(kind.value);
    case "int64Value":
      return String(kind.value);
    case "stringValue":
      return stringRepr(kind.value);
    case "boolValue":
      return kind.value ? "True" : "False";
    case "tensorShapeValue":
      return `TensorShape(${shapeList(kind.value)})`;
    case "tensorDtypeValue":
      return `tf.${dtypeName(kind.value)}`;
    case "tensorSpecValue":
      return tensorSpecRepr(kind.value);
    case "boundedTensorSpecValue":
      return tensorSpecRepr(kind.value);
    case "typeSpecValue":
      return typeSpecRepr(kind.value);
    case "listValue":
      return `[${kind.value.values.map(valueRepr).join(", ")}]`;
    case "tupleValue":
      return tupleRepr(kind.value.values);
    case "dictValue":
      return `{${sortedFields(kind.value.fields)
        .map(([key, field]) => `${stringRepr(key)}: ${valueRepr(field)}`)
        .join(", ")}}`;
    case "namedTupleValue": {
      const members = kind.value.values.map(({ key, value: member }) => `${key}=${valueRepr(member)}`);
      return `${kind.value.name}(${members.join(", ")})`;
    }
    default:
      return "None";
  }
}

/** Members of a dict. TensorFlow prints them in an order that changes with each run; here they are sorted. */
export function sortedFields(
  fields: ReadonlyMap<string, StructuredValue>,
): [key: string, value: StructuredValue][] {
  return [...fields].sort(([a], [b]) => compareCodePoints(a, b));
}

export function tensorSpecRepr({ name, shape, dtype }: Omit<TensorSpecProto, "$type">): string {
  const label = name === "" ? "None" : stringRepr(name);
  return `TensorSpec(shape=${shapeText(shape)}, dtype=tf.${dtypeName(dtype)}, name=${label})`;
}

function typeSpecRepr(spec: TypeSpecProto): string {
  const state = spec.typeState?.kind;
  const parts = state?.$case === "tupleValue" ? state.value.values : [];
  if (spec.typeSpecClass !== SpecClass.VARIABLE_SPEC) return `${specName(spec)}${tupleRepr(parts)}`;
  const [shape, dtype, trainable, alias] = parts;
  const shapeWords = shape === undefined ? "None" : valueText(shape);
  const alias_ = alias === undefined ? "" : `, alias_id=${valueRepr(alias)}`;
  return `VariableSpec(shape=${shapeWords}, dtype=${valueRepr(dtype)}, trainable=${valueRepr(trainable)}${alias_})`;
}

function specName({ typeSpecClass, typeSpecClassName }: TypeSpecProto): string {
  return SPEC_NAMES.get(typeSpecClass) ?? typeSpecClassName.split(".").at(-1) ?? "";
}

function tupleRepr(values: readonly StructuredValue[]): string {
  return `(${values.map(valueRepr).join(", ")}${values.length === 1 ? "," : ""})`;
}

/** `str` of a TensorShape: a tuple with None for what is not known. */
function shapeText(shape: TensorShapeProto | undefined): string {
  if (shape?.unknownRank === true) return "<unknown>";
  const sizes = shapeSizes(shape);
  return `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})`;
}

function shapeList(shape: TensorShapeProto): string {
  return shape.unknownRank ? "None" : `[${shapeSizes(shape).join(", ")}]`;
}

export function shapeSizes(shape: TensorShapeProto | undefined): string[] {
  return (shape?.dim ?? []).map(({ size }) => (size < 0 ? "None" : String(size)));
}
