/** Parts of tensors: slices, pads, splits. */
import { computedDim, type Dim, unknownDim } from "../dims.js";
import { isInteger, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";
import { squeeze, unsqueeze } from "./shaping.js";

/** To the end of an axis, or before its start when stepping backwards. */
const END = 2 ** 63 - 1;
const BEFORE_START = -(2 ** 63);

/** More parts than any model splits a tensor into. */
const MAX_PARTS = 100_000;

/** What a slice takes of one axis of the input. */
interface Cut {
  /** A number, or where in the operator's `begin` or `end` it is found at run time. */
  readonly start: number | { readonly input: number; readonly place: number };
  readonly end: number | { readonly input: number; readonly place: number };
  readonly step: number;
}

/** One entry of the specification: an axis of the input kept or dropped, or a new one. */
type Entry = (Cut & { readonly kind: "keep" | "shrink" }) | { readonly kind: "new" };

const WHOLE: Entry = { kind: "keep", start: 0, end: END, step: 1 };

/** `x[begin:end:stride]` of Python, with its ellipsis, new axes and single indices. */
const stridedSlice: Convert = (operation) => {
  const x = operation.input(0);
  const entries = entriesOf(operation);
  const short = shortSlice(operation, x, entries);
  if (short !== undefined) return short;

  const cuts = entries.filter((entry) => entry.kind !== "new");
  const sliced = slice(operation, x, cuts);
  const shrunk = cuts.flatMap((entry, axis) => (entry.kind === "shrink" ? [axis] : []));
  const squeezed = squeeze(operation, sliced, shrunk);
  const added = entries.filter((entry) => entry.kind !== "shrink");
  return unsqueeze(
    operation,
    squeezed,
    added.flatMap((entry, axis) => (entry.kind === "new" ? [axis] : [])),
  );
};

function entriesOf(operation: Operation): Entry[] {
  const { attributes } = operation;
  const has = (mask: string, place: number) => ((attributes.int(mask, 0) >> place) & 1) === 1;
  const strides = operation.numbers(3);
  const [begins, ends] = [operation.input(1).elements, operation.input(2).elements];
  const rank = operation.input(0).dims?.length;
  const newAxes = strides.filter((_, place) => has("new_axis_mask", place)).length;
  return strides.flatMap((step, place): Entry[] => {
    if (has("ellipsis_mask", place)) {
      if (rank === undefined) throw operation.refuse("an ellipsis over unknown rank", "a known rank");
      const length = rank - (strides.length - newAxes - 1);
      return Array.from({ length: Math.max(0, length) }, () => WHOLE);
    }
    if (has("new_axis_mask", place)) return [{ kind: "new" }];
    const at = (list: readonly Dim[] | undefined, input: number) => {
      const element = list?.[place];
      return typeof element === "number" ? element : { input, place };
    };
    const begin = at(begins, 1);
    if (has("shrink_axis_mask", place)) {
      if (typeof begin !== "number") throw operation.refuse("an index computed at run time", "a constant");
      return [{ kind: "shrink", start: begin, end: begin === -1 ? END : begin + 1, step: 1 }];
    }
    if (step === 0) throw operation.refuse("a stride of 0", "another");
    return [
      {
        kind: "keep",
        start: has("begin_mask", place) ? (step > 0 ? 0 : END) : begin,
        end: has("end_mask", place) ? (step > 0 ? END : BEFORE_START) : at(ends, 2),
        step,
      },
    ];
  });
}

/** A part of a shape: known as far as the shape is. */
function shortSlice(operation: Operation, x: Value, entries: readonly Entry[]): Value | undefined {
  const [entry] = entries;
  if (x.elements === undefined || x.dims?.length !== 1 || !isInteger(x.type)) return undefined;
  if (entries.length !== 1 || entry === undefined || entry.kind === "new") return undefined;
  const { start, end, step } = entry;
  if (typeof start !== "number" || typeof end !== "number") return undefined;
  const places = placesOf(x.elements.length, start, end, step);
  const elements = places.map((place) => x.elements?.[place] ?? unknownDim());
  const known = elements.filter((element) => typeof element === "number");
  const dims = entry.kind === "shrink" ? [] : [elements.length];
  if (known.length === elements.length) return operation.graph.numbers(x.type, dims, known);
  const sliced = slice(operation, x, [entry]);
  const value = entry.kind === "shrink" ? squeeze(operation, sliced, [0]) : sliced;
  return operation.graph.with(value, { elements });
}

function placesOf(length: number, start: number, end: number, step: number): number[] {
  const clamp = (index: number) =>
    Math.min(Math.max(index < 0 ? index + length : index, step > 0 ? 0 : -1), step > 0 ? length : length - 1);
  const places = [];
  const last = end === BEFORE_START ? -1 : clamp(end);
  for (let at = clamp(start); step > 0 ? at < last : at > last; at += step) places.push(at);
  return places;
}

/** Emits a Slice of the axes that are cut. */
function slice(operation: Operation, x: Value, cuts: readonly Cut[]): Value {
  const { graph } = operation;
  const axes = cuts.flatMap(({ start, end, step }, axis) =>
    start === 0 && end === END && step === 1 ? [] : [axis],
  );
  if (axes.length === 0) return x;
  const cut = axes.map((axis) => cuts[axis] ?? { start: 0, end: END, step: 1 });
  const dims = x.dims?.map((dim, axis) => {
    const { start, end, step } = cuts[axis] ?? { start: 0, end: END, step: 1 };
    if (start === 0 && end === END && step === 1) return dim;
    if (typeof start !== "number" || typeof end !== "number") return unknownDim();
    if (typeof dim === "number") return sliceLength(dim, start, end, step);
    if (step === 1 && start < 0 && end === END) return -start;
    if (step === 1 && start >= 0 && end === start + 1) return 1;
    return computedDim(`[${start}:${end}:${step}]`, dim);
  });
  return graph.emit(
    "Slice",
    [
      x,
      bounds(
        operation,
        cut.map(({ start }) => start),
      ),
      bounds(
        operation,
        cut.map(({ end }) => end),
      ),
      graph.int64s(axes),
      graph.int64s(cut.map(({ step }) => step)),
    ],
    { type: x.type, dims },
  );
}

function sliceLength(length: number, start: number, end: number, step: number): number {
  const at = (index: number) => (index < 0 ? index + length : index);
  const low = step > 0 ? 0 : -1;
  const high = step > 0 ? length : length - 1;
  const from = Math.min(Math.max(at(start), low), high);
  const to = end === BEFORE_START ? -1 : Math.min(Math.max(at(end), low), high);
  return Math.max(0, Math.ceil((to - from) / step));
}

/** Starts or ends as one list; those known at run time only are taken out of the operator's own list. */
function bounds(operation: Operation, places: readonly Cut["start"][]): Value {
  const { graph } = operation;
  const known = places.filter((place) => typeof place === "number");
  if (known.length === places.length) return graph.int64s(known);
  const parts = places.map((place) => {
    if (typeof place === "number") return graph.int64s([place]);
    const list = graph.cast(operation.input(place.input), "int64");
    return graph.emit(
      "Gather",
      [list, graph.int64s([place.place])],
      { type: "int64", dims: [1] },
      { axis: 0 },
    );
  });
  return graph.emit("Concat", parts, { type: "int64", dims: [parts.length] }, { axis: 0 });
}

/** `size` elements from `begin`; -1 is all that is left. */
const sliceBySize: Convert = (operation) => {
  const { graph } = operation;
  const [begins, sizes] = [operation.input(1), operation.input(2)];
  const rank = sizes.elements?.length ?? begins.elements?.length;
  if (rank === undefined) throw operation.refuse("an unknown rank", "a known one");
  const known = sizes.elements ?? Array.from({ length: rank }, unknownDim);
  if (begins.elements?.every((begin) => typeof begin === "number")) {
    const cuts = known.map((length, place): Cut => {
      const start = begins.elements?.[place] ?? 0;
      const from = typeof start === "number" ? start : 0;
      if (length === -1) return { start: from, end: END, step: 1 };
      // What begins at 0 ends at its size.
      if (typeof length !== "number" && from !== 0)
        throw operation.refuse("sizes computed at run time", "constants");
      return { start: from, end: typeof length === "number" ? from + length : { input: 2, place }, step: 1 };
    });
    return slice(operation, operation.input(0), cuts);
  }
  if (known.includes(-1)) throw operation.refuse("a begin computed at run time", "a constant");
  const [from, length] = [graph.cast(begins, "int64"), graph.sizes(sizes, false)];
  const to = graph.emit("Add", [from, length], { type: "int64", dims: [rank] });
  return graph.emit("Slice", [operation.input(0), from, to], { type: operation.input(0).type, dims: known });
};

const pad: Convert = (operation) => {
  const { graph, attributes } = operation;
  const x = operation.input(0);
  const rank = operation.dims(0).length;
  const mode = attributes.text("mode", "CONSTANT");
  const amounts = operation.knownNumbers(1);
  const onlyOnes = amounts?.every((amount) => amount <= 1) ?? false;
  if (mode === "SYMMETRIC" && !onlyOnes) throw operation.refuse("mode SYMMETRIC", "REFLECT, or pads of 1");
  const names: Readonly<Record<string, string>> = {
    CONSTANT: "constant",
    REFLECT: "reflect",
    SYMMETRIC: "edge",
  };
  const dims = x.dims?.map((dim, axis) => {
    const [before, after] = [amounts?.[2 * axis], amounts?.[2 * axis + 1]];
    if (before === undefined || after === undefined) return unknownDim();
    if (before + after === 0) return dim;
    return typeof dim === "number" ? dim + before + after : computedDim(`+${before}+${after}`, dim);
  });
  const value = operation.inputs.length > 2 ? operation.input(2) : undefined;
  let pads: Value;
  if (amounts === undefined) {
    // [[begin, end], …] to all begins, then all ends.
    const pairs = graph.transpose(graph.cast(operation.input(1), "int64"), [1, 0]);
    pads = graph.emit("Reshape", [pairs, graph.int64s([-1])], { type: "int64", dims: [2 * rank] });
  } else {
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    pads = graph.int64s([
      ...axes.map((axis) => amounts[2 * axis] ?? 0),
      ...axes.map((axis) => amounts[2 * axis + 1] ?? 0),
    ]);
  }
  return graph.emit(
    "Pad",
    value === undefined ? [x, pads] : [x, pads, value],
    { type: x.type, dims },
    {
      mode: names[mode] ?? mode,
    },
  );
};

/** @param lengths of the parts along the axis. */
function split(operation: Operation, x: Value, number: number, lengths: readonly number[]): readonly Value[] {
  const rank = x.dims?.length;
  if (rank === undefined) throw operation.refuse("a tensor of unknown rank", "a known rank");
  const axis = operation.axis(number, rank);
  if (lengths.length > MAX_PARTS) throw operation.refuse(`${lengths.length} parts`, `at most ${MAX_PARTS}`);
  if (lengths.length === 1) return [x];
  return operation.graph.emitAll(
    "Split",
    [x, operation.graph.int64s(lengths)],
    lengths.map((length) => ({
      type: x.type,
      dims: x.dims?.map((dim, index) => (index === axis ? length : dim)),
    })),
    { axis },
  );
}

const splitEvenly: Convert = (operation) => {
  const [number = 0] = operation.numbers(0);
  const x = operation.input(1);
  const parts = operation.attributes.int("num_split", 1);
  const dims = operation.dims(1);
  const size = dims[operation.axis(number, dims.length)];
  if (typeof size !== "number") throw operation.refuse("an axis of unknown size", "a known one");
  if (parts < 1 || size % parts !== 0)
    throw operation.refuse(`${size} elements in ${parts} parts`, "equal parts");
  return split(operation, x, number, new Array<number>(parts).fill(size / parts));
};

const splitBySizes: Convert = (operation) => {
  const lengths = operation.numbers(1);
  const [number = 0] = operation.numbers(2);
  const dims = operation.dims(0);
  const whole = dims[operation.axis(number, dims.length)];
  const told = lengths.reduce((sum, length) => sum + Math.max(0, length), 0);
  if (lengths.includes(-1) && typeof whole !== "number")
    throw operation.refuse("an axis of unknown size", "a known one");
  return split(
    operation,
    operation.input(0),
    number,
    lengths.map((length) => (length === -1 && typeof whole === "number" ? whole - told : length)),
  );
};

const unpack: Convert = (operation) => {
  const x = operation.input(0);
  const dims = operation.dims(0);
  const axis = operation.axis(operation.attributes.int("axis", 0), dims.length);
  const count = operation.attributes.int("num", 0);
  if (dims.length === 1 && x.elements?.length === count) {
    return Array.from({ length: count }, (_, place) => {
      const entry: Entry = { kind: "shrink", start: place, end: place + 1, step: 1 };
      return shortSlice(operation, x, [entry]) ?? squeeze(operation, slice(operation, x, [entry]), [0]);
    });
  }
  if (count > MAX_PARTS) throw operation.refuse(`${count} parts`, `at most ${MAX_PARTS}`);
  return split(operation, x, axis, new Array<number>(count).fill(1)).map((part) =>
    squeeze(operation, part, [axis]),
  );
};

const reverse: Convert = (operation) => {
  const dims = operation.dims(0);
  const told = operation.numbers(1);
  // ReverseV2 lists axes; Reverse has true or false for each.
  const turned =
    operation.node.op === "Reverse"
      ? told.flatMap((turn, axis) => (turn === 0 ? [] : [axis]))
      : told.map((axis) => operation.axis(axis, dims.length));
  return slice(
    operation,
    operation.input(0),
    dims.map((_, axis) =>
      turned.includes(axis) ? { start: END, end: BEFORE_START, step: -1 } : { start: 0, end: END, step: 1 },
    ),
  );
};

export const SLICING: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["StridedSlice", stridedSlice],
  ["Slice", sliceBySize],
  ["Pad", pad],
  ["PadV2", pad],
  ["MirrorPad", pad],
  ["Split", splitEvenly],
  ["SplitV", splitBySizes],
  ["Unpack", unpack],
  ["Reverse", reverse],
  ["ReverseV2", reverse],
]);
