/** Orders the nodes of a graph so that each follows those whose outputs it takes. */
import { ServeError } from "@vitrine/protocol/status";
import type { Node } from "./graph.js";

/**
 * @param known values that are there before any node runs.
 * @returns the nodes, in the order given where that will do.
 * @throws {ServeError} MODEL_INVALID when a value is never computed, or only from itself.
 */
export function inOrder(nodes: readonly Node[], known: Iterable<string>): readonly Node[] {
  const ready = new Set(["", ...known]);
  const isInOrder = nodes.every((node) => {
    const isReady = node.inputs.every((input) => ready.has(input));
    for (const output of node.outputs) ready.add(output);
    return isReady;
  });
  return isInOrder ? nodes : sorted(nodes, new Set(["", ...known]));
}

function sorted(nodes: readonly Node[], ready: Set<string>): Node[] {
  const computed = new Set(nodes.flatMap((node) => node.outputs));
  const waiting = new Map<string, Node[]>();
  const missing = new Map<Node, number>();
  const queue: Node[] = [];
  for (const node of nodes) {
    const inputs = new Set(node.inputs.filter((input) => !ready.has(input)));
    for (const input of inputs) {
      if (!computed.has(input)) {
        throw new ServeError(
          "MODEL_INVALID",
          `${node.name} (${node.op}) took ${input}, expected a value that something computes`,
        );
      }
      const takers = waiting.get(input);
      if (takers === undefined) waiting.set(input, [node]);
      else takers.push(node);
    }
    missing.set(node, inputs.size);
    if (inputs.size === 0) queue.push(node);
  }
  const order: Node[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    order.push(next);
    for (const output of next.outputs) {
      for (const taker of waiting.get(output) ?? []) {
        const left = (missing.get(taker) ?? 0) - 1;
        missing.set(taker, left);
        if (left === 0) queue.push(taker);
      }
    }
  }
  if (order.length === nodes.length) return order;
  const stuck = nodes.find((node) => (missing.get(node) ?? 0) > 0);
  throw new ServeError(
    "MODEL_INVALID",
    `${stuck?.name} (${stuck?.op}) took a value that is computed from its own result, expected a graph without cycles`,
  );
}
