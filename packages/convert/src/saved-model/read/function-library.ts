/** Functions of a graph, decoded when they are called: a signature of Keras calls few of thousands. */
import { ServeError } from "@vitrine/protocol/status";
import { FunctionIndex, FunctionName } from "../../gen/vitrine/saved_model_index.js";
import { BoundedReader, type Budget } from "./bounded-reader.js";
import type { Nodes } from "./nodes.js";
import { decoded } from "./saved-model-file.js";

export interface TfFunction {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: Nodes;
  /** Output to the tensor that it returns. */
  readonly returns: ReadonlyMap<string, string>;
}

export class FunctionLibrary {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #functions = new Map<string, TfFunction>();

  readonly #budget: Budget;

  /** @param functions each a FunctionIndex. */
  constructor(functions: readonly Uint8Array[], budget: Budget) {
    this.#budget = budget;
    decoded("saved_model.pb", () => {
      for (const bytes of functions) {
        this.#bytes.set(FunctionName.decode(new BoundedReader(bytes, budget)).signature?.name ?? "", bytes);
      }
    });
  }

  has(name: string): boolean {
    return this.#bytes.has(name);
  }

  /** @throws {ServeError} MODEL_INVALID when there is none of that name. */
  get(name: string): TfFunction {
    const known = this.#functions.get(name);
    if (known !== undefined) return known;
    const bytes = this.#bytes.get(name);
    if (bytes === undefined) {
      throw new ServeError("MODEL_INVALID", `function ${name} was called, expected one of the library`);
    }
    const definition = decoded(`function ${name}`, () =>
      FunctionIndex.decode(new BoundedReader(bytes, this.#budget)),
    );
    const made: TfFunction = {
      name,
      inputs: (definition.signature?.inputArg ?? []).map((argument) => argument.name),
      outputs: (definition.signature?.outputArg ?? []).map((argument) => argument.name),
      nodes: new Map(definition.nodeDef.map((node) => [node.name, node])),
      returns: definition.ret,
    };
    this.#functions.set(name, made);
    return made;
  }
}
