/** Attributes of a node, with ONNX's defaults given by who asks. */
import { ServeError } from "@vitrine/protocol/status";
import type { Attribute, Constant, Node } from "./graph.js";

export type Layout = "NHWC" | "NCHW";

/** Operators that carry a `layout`. */
const SPATIAL: ReadonlySet<string> = new Set([
  "Conv",
  "ConvTranspose",
  "MaxPool",
  "AveragePool",
  "LpPool",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "BatchNormalization",
  "InstanceNormalization",
  "GroupNormalization",
  "DepthToSpace",
  "SpaceToDepth",
]);

export function isSpatial(op: string): boolean {
  return SPATIAL.has(op);
}

/** @throws {ServeError} MODEL_INVALID when a spatial operator does not say where its channels are. */
export function layoutOf(node: Node): Layout {
  const { layout } = node.attributes;
  if (layout === "NHWC" || layout === "NCHW") return layout;
  throw wrong(node, "layout", "NHWC or NCHW");
}

export function numberAttribute(node: Node, name: string, otherwise: number): number {
  const value = node.attributes[name];
  if (value === undefined) return otherwise;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return value;
  throw wrong(node, name, "a number");
}

export function numbersAttribute(node: Node, name: string): readonly number[] | undefined {
  const value = node.attributes[name];
  if (value === undefined) return undefined;
  if (isNumbers(value)) return value;
  throw wrong(node, name, "a list of numbers");
}

export function textAttribute(node: Node, name: string, otherwise: string): string {
  const value = node.attributes[name];
  if (value === undefined) return otherwise;
  if (typeof value === "string") return value;
  throw wrong(node, name, "text");
}

export function isConstant(value: Attribute): value is Constant {
  return typeof value === "object" && !Array.isArray(value);
}

export function isNumbers(value: Attribute): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "number");
}

/** The attributes without some of them. */
export function attributesWithout(node: Node, ...names: string[]): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));
}

function wrong(node: Node, name: string, expected: string): ServeError {
  const value = node.attributes[name];
  const text = value === undefined ? "missing" : typeof value === "object" ? "a list or tensor" : value;
  return new ServeError(
    "MODEL_INVALID",
    `${node.name} (${node.op}): ${name} was ${text}, expected ${expected}`,
  );
}
