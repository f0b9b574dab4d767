/** Attributes of TensorFlow's nodes. */
import type { AttrValue, AttrValue_ListValue } from "../../gen/tensorflow/core/framework/attr_value.js";
import type { TensorProto } from "../../gen/tensorflow/core/framework/tensor.js";
import type { TensorShapeProto } from "../../gen/tensorflow/core/framework/tensor_shape.js";
import { TENSORFLOW_TYPES } from "../../graph/element-type.js";
import type { Constant, ElementType, Shape } from "../../graph/graph.js";

export type AttrValues = Readonly<Record<string, AttrValue>>;

const EMPTY_LIST: AttrValue_ListValue = {
  s: [],
  i: [],
  f: [],
  b: [],
  type: [],
  shape: [],
  tensor: [],
  func: [],
};

export function typeAttr(type: ElementType): AttrValue {
  return { value: { $case: "type", value: TENSORFLOW_TYPES[type] } };
}

export function typesAttr(types: readonly ElementType[]): AttrValue {
  const list = { ...EMPTY_LIST, type: types.map((type) => TENSORFLOW_TYPES[type]) };
  return { value: { $case: "list", value: list } };
}

export function intAttr(value: number): AttrValue {
  return { value: { $case: "i", value: BigInt(value) } };
}

export function intsAttr(values: readonly number[]): AttrValue {
  return { value: { $case: "list", value: { ...EMPTY_LIST, i: values.map(BigInt) } } };
}

export function floatAttr(value: number): AttrValue {
  return { value: { $case: "f", value } };
}

export function boolAttr(value: boolean): AttrValue {
  return { value: { $case: "b", value } };
}

export function textAttr(text: string): AttrValue {
  return { value: { $case: "s", value: Buffer.from(text) } };
}

export function shapeAttr(shape: Shape | undefined): AttrValue {
  return { value: { $case: "shape", value: shapeProto(shape) } };
}

export function tensorAttr(constant: Constant): AttrValue {
  return { value: { $case: "tensor", value: tensorProto(constant) } };
}

/** @param shape undefined: of any rank. */
export function shapeProto(shape: Shape | undefined): TensorShapeProto {
  if (shape === undefined) return { dim: [], unknownRank: true };
  return { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false };
}

function tensorProto({ type, shape, bytes, strings }: Constant): TensorProto {
  return {
    dtype: TENSORFLOW_TYPES[type],
    tensorShape: shapeProto(shape),
    versionNumber: 0,
    tensorContent: strings === undefined ? bytes : new Uint8Array(0),
    stringVal: strings === undefined ? [] : [...strings],
    floatVal: [],
    doubleVal: [],
    intVal: [],
    scomplexVal: [],
    int64Val: [],
    boolVal: [],
    dcomplexVal: [],
    halfVal: [],
    uint32Val: [],
    uint64Val: [],
  };
}
