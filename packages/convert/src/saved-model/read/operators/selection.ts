/** Elements chosen by indices or by conditions. */
import { broadcastDims, unknownDim } from "../dims.js";
import type { Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

function gatherAlong(operation: Operation, x: Value, indices: Value, number: number): Value {
  const dims = x.dims ?? operation.dims(0);
  const axis = operation.axis(number, dims.length);
  const result = {
    type: x.type,
    dims:
      indices.dims === undefined
        ? undefined
        : [...dims.slice(0, axis), ...indices.dims, ...dims.slice(axis + 1)],
  };
  const places = indices.elements;
  if (x.elements !== undefined && dims.length === 1 && places !== undefined) {
    const picked = places.map((place) => (typeof place === "number" ? x.elements?.at(place) : undefined));
    const elements = picked.map((element) => element ?? unknownDim());
    const known = elements.filter((element) => typeof element === "number");
    const shape = (indices.dims ?? []).length === 0 ? [] : [elements.length];
    if (known.length === elements.length) return operation.graph.numbers(x.type, shape, known);
    const value = operation.emit("Gather", [x, indices], result, { axis });
    return operation.graph.with(value, { elements });
  }
  return operation.emit("Gather", [x, indices], result, { axis });
}

const gather: Convert = (operation) => gatherAlong(operation, operation.input(0), operation.input(1), 0);

const gatherV2: Convert = (operation) => {
  if (operation.attributes.int("batch_dims", 0) !== 0) throw operation.refuse("batch_dims", "none");
  const [axis = 0] = operation.numbers(2);
  return gatherAlong(operation, operation.input(0), operation.input(1), axis);
};

const gatherNd: Convert = (operation) => {
  const [x, indices] = [operation.input(0), operation.input(1)];
  const last = indices.dims?.at(-1);
  const dims =
    typeof last === "number" && x.dims !== undefined
      ? [...(indices.dims ?? []).slice(0, -1), ...x.dims.slice(last)]
      : undefined;
  return operation.emit("GatherND", [x, operation.graph.cast(indices, "int64")], { type: x.type, dims });
};

const select: Convert = (operation) => {
  const [condition, a, b] = [operation.input(0), operation.input(1), operation.input(2)];
  const [flag] = operation.knownNumbers(0) ?? [];
  if (condition.dims?.length === 0 && flag !== undefined && operation.node.op === "Select")
    return flag === 0 ? b : a;
  let test = condition;
  const rank = a.dims?.length ?? 0;
  if (operation.node.op === "Select" && condition.dims?.length === 1 && rank > 1) {
    // The older operator chooses whole rows by a vector.
    const ones = new Array<number>(rank - 1).fill(1);
    test = operation.graph.reshape(condition, [-1, ...ones], [condition.dims[0] ?? 1, ...ones]);
  }
  const dims = broadcastDims(broadcastDims(test.dims, a.dims), b.dims);
  return operation.emit("Where", [test, a, b], { type: a.type, dims });
};

/** Coordinates of what is true, one row each. */
const where: Convert = (operation) => {
  const { graph } = operation;
  const rank = operation.dims(0).length;
  const truth = graph.cast(operation.input(0), "bool");
  const found = graph.emit("NonZero", [truth], { type: "int64", dims: [rank, unknownDim()] });
  return graph.transpose(found, [1, 0]);
};

const oneHot: Convert = (operation) => {
  const { graph, attributes } = operation;
  const [indices, depth, on, off] = [0, 1, 2, 3].map((index) => operation.input(index));
  if (!(indices && depth && on && off)) return operation.input(3);
  const rank = operation.dims(0).length + 1;
  const axis = operation.axis(attributes.int("axis", -1), rank);
  const parts = [off, on].map((value) => graph.reshape(value, [1], [1]));
  const values = graph.emit("Concat", parts, { type: on.type, dims: [2] }, { axis: 0 });
  const dims = [...(indices.dims ?? [])];
  const size = depth.elements?.[0] ?? unknownDim();
  dims.splice(axis, 0, size);
  // Negative indices are no class here; ONNX counts them from the end.
  const places = graph.cast(indices, "int64");
  const isNegative = graph.emit("Less", [places, graph.scalar("int64", 0)], {
    type: "bool",
    dims: places.dims,
  });
  const beyond = graph.reshape(graph.cast(depth, "int64"), [], []);
  const valid = graph.emit("Where", [isNegative, beyond, places], { type: "int64", dims: places.dims });
  return graph.emit("OneHot", [valid, depth, values], { type: on.type, dims }, { axis });
};

export const SELECTION: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["Gather", gather],
  ["ResourceGather", gather],
  ["GatherV2", gatherV2],
  ["GatherNd", gatherNd],
  ["Select", select],
  ["SelectV2", select],
  ["Where", where],
  ["OneHot", oneHot],
]);
