/** Shapes of operators that move elements without changing them. */
import { isConstant, numberAttribute, numbersAttribute } from "./attributes.js";
import { positiveAxis, type ShapeRule, type Size, type ValueInfo } from "./value-info.js";

type Values = ValueInfo["values"];

/** Sizes that a list of values asks for; what is not known of them is a size of its own. */
function sizesFrom(values: Values, unknownSize: () => Size): Size[] | undefined {
  return values?.map((value) => value ?? unknownSize());
}

/** A product of sizes: what is known of it, and the names of the others. Its own name is `20*size0`. */
function factors(sizes: readonly Size[]): { known: number; names: string[] } {
  let known = 1;
  const names: string[] = [];
  for (const size of sizes) {
    for (const factor of String(size).split("*")) {
      const number = Number(factor);
      if (Number.isNaN(number)) names.push(factor);
      else known *= number;
    }
  }
  return { known, names };
}

/** More sizes multiplied are a size of their own: squares of squares would double with every node. */
const MAX_NAMES = 8;

function productOf(known: number, names: readonly string[]): Size | undefined {
  const [name, ...more] = names;
  if (name === undefined) return known;
  if (names.length > MAX_NAMES) return undefined;
  if (known === 1 && more.length === 0) return name;
  return [...(known === 1 ? [] : [String(known)]), ...names.toSorted()].join("*");
}

const reshape: ShapeRule = ({ node, input, unknownSize }) => {
  const { type, sizes, values } = input(0);
  const wanted = input(1).values;
  if (wanted === undefined) {
    const rank = input(1).sizes?.[0];
    const isRankKnown = typeof rank === "number" && rank <= 16;
    return [{ type, sizes: isRankKnown ? Array.from({ length: rank }, unknownSize) : undefined }];
  }
  const copiesZero = numberAttribute(node, "allowzero", 0) === 0;
  const result = wanted.map((size, axis) =>
    size === 0 && copiesZero ? (sizes?.[axis] ?? unknownSize()) : (size ?? unknownSize()),
  );
  const open = result.indexOf(-1);
  if (open >= 0) result[open] = openSize(sizes, result.toSpliced(open, 1)) ?? unknownSize();
  return [{ type, sizes: result, values: result.length <= 1 ? values : undefined }];
};

/** What -1 stands for: all elements divided by the other sizes. */
function openSize(sizes: readonly Size[] | undefined, others: readonly Size[]): Size | undefined {
  if (sizes === undefined) return undefined;
  const all = factors(sizes);
  const taken = factors(others);
  for (const name of taken.names) {
    const at = all.names.indexOf(name);
    if (at < 0) return undefined;
    all.names.splice(at, 1);
  }
  const quotient = all.known / taken.known;
  return Number.isSafeInteger(quotient) ? productOf(quotient, all.names) : undefined;
}

const flatten: ShapeRule = ({ node, input, unknownSize }) => {
  const { type, sizes } = input(0);
  if (sizes === undefined) return [{ type, sizes: [unknownSize(), unknownSize()] }];
  const axis = positiveAxis(numberAttribute(node, "axis", 1), sizes.length);
  const product = (part: readonly Size[]): Size => {
    const { known, names } = factors(part);
    return productOf(known, names) ?? unknownSize();
  };
  return [{ type, sizes: [product(sizes.slice(0, axis)), product(sizes.slice(axis))] }];
};

const transpose: ShapeRule = ({ node, input, unknownSize }) => {
  const { type, sizes } = input(0);
  const perm = numbersAttribute(node, "perm") ?? sizes?.map((_, axis) => axis).reverse();
  return [{ type, sizes: perm?.map((axis) => sizes?.[axis] ?? unknownSize()) }];
};

const squeeze: ShapeRule = ({ input, integers, isGiven }) => {
  const { type, sizes, values } = input(0);
  const given = integers(1);
  if (sizes === undefined || (given === undefined && isGiven(1))) return [{ type, sizes: undefined }];
  if (given === undefined && sizes.some((size) => typeof size !== "number"))
    return [{ type, sizes: undefined }];
  const axes = new Set(given?.map((axis) => positiveAxis(axis, sizes.length)));
  return [
    {
      type,
      sizes: sizes.filter((size, axis) => (given === undefined ? size !== 1 : !axes.has(axis))),
      values,
    },
  ];
};

const unsqueeze: ShapeRule = ({ input, integers }) => {
  const { type, sizes, values } = input(0);
  const given = integers(1);
  if (sizes === undefined || given === undefined) return [{ type, sizes: undefined }];
  const rank = sizes.length + given.length;
  const axes = new Set(given.map((axis) => positiveAxis(axis, rank)));
  const rest = [...sizes];
  const result = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() ?? 1)));
  return [{ type, sizes: result, values: rank <= 1 ? values : undefined }];
};

const concat: ShapeRule = ({ node, input, unknownSize }) => {
  const infos = node.inputs.map((_, index) => input(index));
  const type = infos[0]?.type;
  const first = infos.find(({ sizes }) => sizes !== undefined)?.sizes;
  if (first === undefined) return [{ type, sizes: undefined }];
  const axis = positiveAxis(numberAttribute(node, "axis", 0), first.length);
  const along = infos.map(({ sizes }) => sizes?.[axis]);
  const isKnown = along.every((size) => typeof size === "number");
  const sizes = first.map((size, index): Size => {
    if (index === axis) return isKnown ? along.reduce((sum, part) => sum + part, 0) : unknownSize();
    const sure = infos.map((info) => info.sizes?.[index]).find((part) => typeof part === "number");
    return sure ?? size;
  });
  const values = infos.every((info) => info.values !== undefined)
    ? infos.flatMap((info) => info.values ?? [])
    : undefined;
  return [{ type, sizes, values: first.length === 1 ? values : undefined }];
};

const split: ShapeRule = ({ node, input, integers, isGiven, unknownSize }) => {
  const { type, sizes } = input(0);
  const count = node.outputs.length;
  if (sizes === undefined) return node.outputs.map(() => ({ type, sizes: undefined }));
  const axis = positiveAxis(numberAttribute(node, "axis", 0), sizes.length);
  const whole = sizes[axis];
  const parts = integers(1);
  const each = typeof whole === "number" ? Math.ceil(whole / count) : undefined;
  return node.outputs.map((_, index) => {
    let part: Size | undefined = parts?.[index];
    if (!isGiven(1) && each !== undefined && typeof whole === "number") {
      part = Math.min(each, whole - each * index);
    }
    return { type, sizes: sizes.with(axis, part ?? unknownSize()) };
  });
};

/** Start, count and step of a Slice along one axis of known size. Source: ONNX, Slice. */
export function sliceRange(
  size: number,
  start: number,
  end: number,
  step: number,
): { start: number; count: number } {
  const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
  const from = clamp(start < 0 ? start + size : start, 0, step > 0 ? size : size - 1);
  const to = clamp(end < 0 ? end + size : end, step > 0 ? 0 : -1, size);
  return { start: from, count: Math.max(0, Math.ceil((to - from) / step)) };
}

const slice: ShapeRule = ({ input, integers, isGiven, unknownSize }) => {
  const { type, sizes, values } = input(0);
  const [starts, ends, axes, steps] = [integers(1), integers(2), integers(3), integers(4)];
  if (sizes === undefined) return [{ type, sizes: undefined }];
  if ((axes === undefined && isGiven(3)) || (steps === undefined && isGiven(4))) {
    return [{ type, sizes: sizes.map(unknownSize) }];
  }
  const result = [...sizes];
  let chosen = values;
  const count = axes?.length ?? starts?.length ?? ends?.length ?? sizes.length;
  for (let index = 0; index < count; index++) {
    const axis = positiveAxis(axes?.[index] ?? index, sizes.length);
    const size = sizes[axis];
    const [start, end, step] = [starts?.[index], ends?.[index], steps?.[index] ?? 1];
    if (start === 0 && step === 1 && end !== undefined && end >= 2 ** 31 - 1) continue;
    if (typeof size !== "number" || start === undefined || end === undefined || step === 0) {
      result[axis] = unknownSize();
      chosen = undefined;
      continue;
    }
    const range = sliceRange(size, start, end, step);
    result[axis] = range.count;
    const from = chosen;
    chosen = from && Array.from({ length: range.count }, (_, at) => from[range.start + at * step]);
  }
  return [{ type, sizes: result, values: sizes.length === 1 ? chosen : undefined }];
};

const gather: ShapeRule = ({ node, input, integers }) => {
  const { type, sizes, values } = input(0);
  const indices = input(1).sizes;
  if (sizes === undefined || indices === undefined) return [{ type, sizes: undefined }];
  const axis = positiveAxis(numberAttribute(node, "axis", 0), sizes.length);
  const chosen =
    indices.length <= 1 && sizes.length === 1 ? integers(1)?.map((index) => values?.at(index)) : undefined;
  return [{ type, sizes: [...sizes.slice(0, axis), ...indices, ...sizes.slice(axis + 1)], values: chosen }];
};

const expand: ShapeRule = ({ input, unknownSize }) => {
  const { type, sizes } = input(0);
  const wanted = sizesFrom(input(1).values, unknownSize);
  if (sizes === undefined || wanted === undefined) return [{ type, sizes: undefined }];
  const rank = Math.max(sizes.length, wanted.length);
  return [
    {
      type,
      sizes: Array.from({ length: rank }, (_, axis) => {
        const own = sizes[axis - rank + sizes.length] ?? 1;
        const asked = wanted[axis - rank + wanted.length] ?? 1;
        if (asked === 1 || asked === own) return own;
        return own === 1 ? asked : typeof own === "number" ? own : asked;
      }),
    },
  ];
};

const tile: ShapeRule = ({ input, integers, unknownSize }) => {
  const { type, sizes } = input(0);
  const repeats = integers(1);
  return [
    {
      type,
      sizes: sizes?.map((size, axis) => {
        const times = repeats?.[axis];
        if (times === 1) return size;
        return typeof size === "number" && times !== undefined ? size * times : unknownSize();
      }),
    },
  ];
};

const pad: ShapeRule = (context) => {
  const { input, integers, isGiven, unknownSize } = context;
  const { type, sizes } = input(0);
  const pads = integers(1);
  const axes = integers(3);
  if (sizes === undefined) return [{ type, sizes: undefined }];
  if (pads === undefined || (axes === undefined && isGiven(3)))
    return [{ type, sizes: sizes.map(unknownSize) }];
  const padded = [...sizes];
  const count = pads.length / 2;
  for (let index = 0; index < count; index++) {
    const axis = positiveAxis(axes?.[index] ?? index, sizes.length);
    const size = sizes[axis];
    const more = (pads[index] ?? 0) + (pads[index + count] ?? 0);
    if (more !== 0) padded[axis] = typeof size === "number" ? size + more : unknownSize();
  }
  return [{ type, sizes: padded }];
};

const shape: ShapeRule = ({ node, input }) => {
  const { sizes } = input(0);
  if (sizes === undefined) return [{ type: "int64", sizes: undefined }];
  const part = sizes.slice(numberAttribute(node, "start", 0), numberAttribute(node, "end", sizes.length));
  return [{ type: "int64", sizes: [part.length], values: part }];
};

const size: ShapeRule = ({ input }) => {
  const { sizes } = input(0);
  const all = sizes && factors(sizes);
  return [{ type: "int64", sizes: [], values: all?.names.length === 0 ? [all.known] : undefined }];
};

const constantOfShape: ShapeRule = ({ node, input, unknownSize }) => {
  const { value } = node.attributes;
  const type = value !== undefined && isConstant(value) ? value.type : "float32";
  return [{ type, sizes: sizesFrom(input(0).values, unknownSize) }];
};

const range: ShapeRule = ({ input, unknownSize }) => [{ type: input(0).type, sizes: [unknownSize()] }];

const passOn: ShapeRule = ({ input }) => [input(0)];

const gatherElements: ShapeRule = ({ input }) => [{ type: input(0).type, sizes: input(1).sizes }];

export const MOVING_RULES: ReadonlyMap<string, ShapeRule> = new Map<string, ShapeRule>([
  ["Reshape", reshape],
  ["Flatten", flatten],
  ["Transpose", transpose],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Concat", concat],
  ["Split", split],
  ["Slice", slice],
  ["Gather", gather],
  ["GatherElements", gatherElements],
  ["Expand", expand],
  ["Tile", tile],
  ["Pad", pad],
  ["Shape", shape],
  ["Size", size],
  ["ConstantOfShape", constantOfShape],
  ["Range", range],
  ["Identity", passOn],
]);
