/** Operators of a graph by name, decoded when they are looked at. */
import { NodeDef } from "../../gen/tensorflow/core/framework/node_def.js";
import { NodeName } from "../../gen/vitrine/saved_model_index.js";
import { BoundedReader, type Budget } from "./bounded-reader.js";
import { decoded } from "./saved-model-file.js";

/** What a map from name to operator answers. */
export interface Nodes {
  get(name: string): NodeDef | undefined;
  keys(): IterableIterator<string>;
  values(): IterableIterator<NodeDef>;
}

export class GraphNodes implements Nodes {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #nodes = new Map<string, NodeDef>();
  readonly #budget: Budget;

  /** @param nodes each a tensorflow.NodeDef. */
  constructor(nodes: readonly Uint8Array[], budget: Budget) {
    this.#budget = budget;
    decoded("saved_model.pb", () => {
      for (const bytes of nodes) {
        this.#bytes.set(NodeName.decode(new BoundedReader(bytes, budget)).name, bytes);
      }
    });
  }

  /** @throws {ServeError} MODEL_INVALID when the operator is damaged. */
  get(name: string): NodeDef | undefined {
    const known = this.#nodes.get(name);
    const bytes = this.#bytes.get(name);
    if (known !== undefined || bytes === undefined) return known;
    const node = decoded(`node ${name}`, () => NodeDef.decode(new BoundedReader(bytes, this.#budget)));
    this.#nodes.set(name, node);
    return node;
  }

  keys(): IterableIterator<string> {
    return this.#bytes.keys();
  }

  *values(): IterableIterator<NodeDef> {
    for (const name of this.keys()) {
      const node = this.get(name);
      if (node !== undefined) yield node;
    }
  }
}
