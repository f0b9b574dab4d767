/** Replaces what can be known before the run by constants. */
import { numberAttribute } from "./attributes.js";
import { int64Constant } from "./constant-values.js";
import { evaluate } from "./evaluate.js";
import type { Constant, Graph, Node } from "./graph.js";
import { inferShapes, refusingRanges } from "./infer-shapes.js";

/** Folding these into floats would undo what quantisation is for. */
const KEPT: ReadonlySet<string> = new Set(["QuantizeLinear", "DequantizeLinear"]);

/** May be computed whatever the weights are: shapes and their kin. */
const FREE_BYTES = 16 * 1024 * 1024;

/**
 * Computes operators whose inputs are constant, and the arithmetic of sizes that follows from the shapes.
 *
 * Not ONNX Runtime: only what stands in weights and shapes is computed, and only where the result is small or no
 * larger than what it is made of.
 */
export function foldConstants(graph: Graph): Graph {
  const infos = inferShapes(graph);
  const constants = new Map(graph.constants);
  const nodes: Node[] = [];
  let budgetBytes = FREE_BYTES;
  for (const { bytes } of constants.values()) budgetBytes += 2 * bytes.byteLength;
  for (const node of graph.nodes) {
    const results = affordable(constantResults(node, constants)) ?? knownSizes(node);
    if (results === undefined) nodes.push(withConstantTarget(node));
    else {
      node.outputs.forEach((output, index) => {
        const result = results[index];
        if (output !== "" && result !== undefined) constants.set(output, result);
      });
    }
  }
  return { ...graph, nodes, constants };

  /** What was computed, as long as all of it together stays in proportion to the weights. */
  function affordable(results: Constant[] | undefined): Constant[] | undefined {
    const bytes = results?.reduce((sum, result) => sum + result.bytes.byteLength, 0) ?? 0;
    if (bytes > budgetBytes) return undefined;
    budgetBytes -= bytes;
    return results;
  }

  /** Sizes that are all known make the operators between Shape and Reshape needless. */
  function knownSizes(node: Node): Constant[] | undefined {
    const [output = "", ...more] = node.outputs;
    const info = infos.get(output);
    const values = info?.values?.filter((value) => typeof value === "number");
    if (more.length > 0 || info?.type !== "int64" || info.sizes === undefined) return undefined;
    if (values === undefined || values.length !== info.values?.length) return undefined;
    return [int64Constant(values, info.sizes.length === 0 ? [] : [values.length])];
  }

  /** A Reshape to sizes of which each is known, the input's own, or the only one that is not. */
  function withConstantTarget(node: Node): Node {
    const [data = "", target = "", ...more] = node.inputs;
    const wanted = infos.get(target)?.values;
    if (node.op !== "Reshape" || more.length > 0 || constants.has(target) || wanted === undefined)
      return node;
    if (numberAttribute(node, "allowzero", 0) !== 0) return node;
    const sizes = infos.get(data)?.sizes;
    const constant = wanted.map((size, axis) => {
      if (typeof size === "number") return size;
      return size !== undefined && size === sizes?.[axis] ? 0 : -1;
    });
    if (constant.filter((size) => size === -1).length > 1) return node;
    const name = unusedName(`${node.name}/shape`, constants);
    constants.set(name, int64Constant(constant));
    return { ...node, inputs: [data, name] };
  }
}

function unusedName(wish: string, constants: ReadonlyMap<string, Constant>): string {
  let name = wish;
  for (let count = 1; constants.has(name); count++) name = `${wish}_${count}`;
  return name;
}

function constantResults(node: Node, constants: ReadonlyMap<string, Constant>): Constant[] | undefined {
  if (KEPT.has(node.op) || node.inputs.length === 0) return undefined;
  if (node.inputs.some((input) => input !== "" && !constants.has(input))) return undefined;
  const inputs = node.inputs.map((input) => constants.get(input));
  const results = refusingRanges(node, () => evaluate(node, inputs));
  return results !== undefined && results.length >= node.outputs.length ? results : undefined;
}
