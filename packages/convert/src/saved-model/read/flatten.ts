/** A signature's graph as one list of operators: functions inlined, only what its outputs need. */
import { ServeError } from "@vitrine/protocol/status";
import type { Place, Scope, Scopes } from "./scopes.js";
import { isControl } from "./tensor-names.js";
import type { TfNode, TfTensor } from "./tf-node.js";

/** More operators than any model has; a file of few bytes may call functions for ever more. */
const MAX_NODES = 1_000_000;

export interface FlatGraph {
  /** Each after those whose outputs it takes. */
  readonly nodes: readonly TfNode[];
  /** As asked for. */
  readonly outputs: readonly TfTensor[];
}

interface Open {
  readonly key: string;
  readonly place: Place;
  readonly sources: readonly Place[];
  next: number;
}

/**
 * Collects what `outputs` depend on.
 *
 * @param outputs tensors of the graph, `NODE:INDEX`.
 * @throws {ServeError} MODEL_INVALID for graphs with a cycle, without end, or with names of nothing.
 */
export function flatten(scopes: Scopes, outputs: readonly string[]): FlatGraph {
  const done = new Map<string, TfNode>();
  const opened = new Set<string>();
  const nodes: TfNode[] = [];

  const open = (place: Place): Open => {
    const key = keyOf(place);
    opened.add(key);
    if (opened.size > MAX_NODES) throw invalid(`more than ${MAX_NODES} operators`, "fewer");
    const sources =
      place.fed === undefined
        ? place.node.input
            .filter((input) => !isControl(input))
            .map((input) => scopes.find(place.scope, input))
        : [];
    return { key, place, sources, next: 0 };
  };

  const reach = (target: Place): TfTensor => {
    const stack: Open[] = done.has(keyOf(target)) ? [] : [open(target)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const source = top.sources[top.next];
      if (source !== undefined) {
        top.next += 1;
        const key = keyOf(source);
        if (done.has(key)) continue;
        if (opened.has(key)) throw invalid(`node ${source.node.name} depends on itself`, "no cycles");
        stack.push(open(source));
        continue;
      }
      stack.pop();
      const { place } = top;
      const node: TfNode = {
        name: place.node.name,
        op: place.node.op,
        attributes: scopes.attributesOf(place),
        inputs: top.sources.map((one) => tensorAt(done, one)),
        ...(place.fed === undefined ? {} : { fed: place.fed }),
      };
      done.set(top.key, node);
      nodes.push(node);
    }
    return tensorAt(done, target);
  };

  const reached = outputs.map((output) => reach(scopes.find(scopes.main, output)));
  return { nodes, outputs: reached };
}

function tensorAt(done: ReadonlyMap<string, TfNode>, place: Place): TfTensor {
  const node = done.get(keyOf(place));
  if (node === undefined) throw invalid(`node ${place.node.name} depends on itself`, "no cycles");
  // A fed tensor is a node of its own, whichever output of its operator it was.
  return { node, index: place.fed === undefined ? place.index : 0 };
}

function keyOf({ scope, node, index, fed }: Place): string {
  return fed === undefined ? placeName(scope, node.name) : `${placeName(scope, node.name)}:${index}`;
}

function placeName(scope: Scope, name: string): string {
  return `${scope.id} ${name}`;
}

function invalid(was: string, expected: string): ServeError {
  return new ServeError("MODEL_INVALID", `saved_model.pb: ${was}, expected ${expected}`);
}
