/** Puts the bodies of a model's own functions in the place of their calls. */
import { ServeError } from "@vitrine/protocol/status";
import type { AttributeProto, FunctionProto, NodeProto } from "../gen/onnx/onnx.js";

const MAX_DEPTH = 32;
/** A function that calls another twice, and so on, grows without bound. */
const MAX_NODES = 200_000;

/** @throws {ServeError} MODEL_INVALID when functions call themselves or grow beyond reason. */
export function inlineFunctions(
  nodes: readonly NodeProto[],
  functions: readonly FunctionProto[],
): readonly NodeProto[] {
  if (functions.length === 0) return nodes;
  const byName = new Map(functions.map((one) => [`${one.domain}:${one.name}`, one]));
  const inlined: NodeProto[] = [];
  let calls = 0;
  inline(nodes, 0);
  return inlined;

  function inline(body: readonly NodeProto[], depth: number): void {
    for (const node of body) {
      const called = byName.get(`${node.domain}:${node.opType}`);
      if (called === undefined) inlined.push(node);
      else if (depth < MAX_DEPTH)
        inline(bodyOf(called, node, `${node.name || called.name}#${calls++}`), depth + 1);
      else
        throw new ServeError(
          "MODEL_INVALID",
          `function ${called.name} was ${depth} calls deep, expected at most ${MAX_DEPTH}`,
        );
      if (inlined.length + calls > MAX_NODES) {
        throw new ServeError(
          "MODEL_INVALID",
          `the model's functions grew beyond ${MAX_NODES} nodes, expected fewer`,
        );
      }
    }
  }
}

function bodyOf(called: FunctionProto, call: NodeProto, prefix: string): NodeProto[] {
  const values = new Map<string, string>([["", ""]]);
  called.input.forEach((value, index) => {
    values.set(value, call.input[index] ?? "");
  });
  called.output.forEach((value, index) => {
    values.set(value, call.output[index] || `${prefix}/${value}`);
  });
  const given = new Map([...called.attributeProto, ...call.attribute].map((one) => [one.name, one]));
  const nameOf = (value: string) => values.get(value) ?? `${prefix}/${value}`;
  return called.node.map((node) => ({
    ...node,
    name: `${prefix}/${node.name || node.output[0]}`,
    input: node.input.map(nameOf),
    output: node.output.map(nameOf),
    attribute: node.attribute.flatMap((one) => resolved(one, given)),
  }));
}

/** An attribute that refers to one of the call takes its value; when that is not given, neither is this. */
function resolved(attribute: AttributeProto, given: ReadonlyMap<string, AttributeProto>): AttributeProto[] {
  if (attribute.refAttrName === "") return [attribute];
  const value = given.get(attribute.refAttrName);
  return value === undefined ? [] : [{ ...value, name: attribute.name }];
}
