/** AttributeProto to attributes of the graph. */
import { ServeError } from "@vitrine/protocol/status";
import { type AttributeProto, AttributeType } from "../gen/onnx/onnx.js";
import { elementTypeOfOnnx } from "../graph/element-type.js";
import type { Attribute } from "../graph/graph.js";
import { TYPE_ATTRIBUTES } from "./onnx-attributes.js";
import { readTensor } from "./read-tensor.js";

export async function readAttributes(
  protos: readonly AttributeProto[],
  label: string,
): Promise<Record<string, Attribute>> {
  const attributes: Record<string, Attribute> = {};
  for (const proto of protos) {
    const value = await readAttribute(proto, `${label}: ${proto.name}`);
    if (value !== undefined) attributes[proto.name] = value;
  }
  return attributes;
}

async function readAttribute(proto: AttributeProto, label: string): Promise<Attribute | undefined> {
  switch (proto.type) {
    case AttributeType.FLOAT:
      return proto.f;
    case AttributeType.INT:
      return TYPE_ATTRIBUTES.has(proto.name) ? typeName(Number(proto.i), label) : toNumber(proto.i);
    case AttributeType.STRING:
      return Buffer.from(proto.s).toString("utf8");
    case AttributeType.TENSOR:
      if (proto.t === undefined) return undefined;
      return readTensor(proto.t, label, undefined);
    case AttributeType.FLOATS:
      return proto.floats;
    case AttributeType.INTS:
      return proto.ints.map(toNumber);
    case AttributeType.STRINGS:
      return proto.strings.map((bytes) => Buffer.from(bytes).toString("utf8"));
    default:
      throw new ServeError(
        "MODEL_UNSUPPORTED",
        `${label} was of kind ${proto.type}, expected a number, text or tensor`,
      );
  }
}

/** 0 stands for "not given". */
function typeName(number: number, label: string): string | undefined {
  const type = elementTypeOfOnnx(number);
  if (type !== undefined || number === 0) return type;
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `${label} was ONNX's data type ${number}, expected one of whole bytes`,
  );
}

/** "To the end" comes as 2^63 - 1; the nearest number does as well. */
function toNumber(value: bigint): number {
  return Number(value);
}
