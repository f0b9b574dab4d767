/** Operators of a graph by name, decoded when they are looked at. */
import { AttrValue } from "../../gen/tensorflow/core/framework/attr_value.js";
import { NodeIndex, NodeName } from "../../gen/vitrine/saved_model_index.js";
import { BoundedReader, type Budget } from "./bounded-reader.js";
import { boundedReader, decoded } from "./saved-model-file.js";

/** What a map from name to operator answers. */
export interface Nodes {
  get(name: string): NodeIndex | undefined;
  keys(): IterableIterator<string>;
  values(): IterableIterator<NodeIndex>;
}

export class GraphNodes implements Nodes {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #nodes = new Map<string, NodeIndex>();
  readonly #budget: Budget;

  /** @param nodes each a NodeIndex. */
  constructor(nodes: readonly Uint8Array[], budget: Budget) {
    this.#budget = budget;
    decoded("saved_model.pb", () => {
      for (const bytes of nodes) {
        this.#bytes.set(NodeName.decode(new BoundedReader(bytes, budget)).name, bytes);
      }
    });
  }

  /** @throws {ServeError} MODEL_INVALID when the operator is damaged. */
  get(name: string): NodeIndex | undefined {
    const known = this.#nodes.get(name);
    const bytes = this.#bytes.get(name);
    if (known !== undefined || bytes === undefined) return known;
    const node = decoded(`node ${name}`, () => NodeIndex.decode(new BoundedReader(bytes, this.#budget)));
    this.#nodes.set(name, node);
    return node;
  }

  keys(): IterableIterator<string> {
    return this.#bytes.keys();
  }

  *values(): IterableIterator<NodeIndex> {
    for (const name of this.keys()) {
      const node = this.get(name);
      if (node !== undefined) yield node;
    }
  }
}

/** One attribute of an operator; undefined when it is not in the file. */
export function attributeOf(node: NodeIndex, name: string): AttrValue["value"] {
  const bytes = node.attr.get(name);
  if (bytes === undefined) return undefined;
  return decoded(`node ${node.name}`, () => AttrValue.decode(boundedReader(bytes)).value);
}
