/** Batch normalisation: TensorFlow's operators of that name, and what Keras 3 takes it apart to. */
import type { Dims } from "../dims.js";
import type { Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

/** How a constant lies along a tensor: one value per channel. */
interface Channels {
  readonly layout: "NHWC" | "NCHW";
  readonly count: number;
}

/** Whether `constant` holds a value per channel of `value`, pictures or volumes. */
function channelsOf(value: Value, constant: Value): Channels | undefined {
  const { dims } = value;
  const shape = constant.constant?.shape;
  if (dims === undefined || shape === undefined || dims.length < 4 || dims.length > 5) return undefined;
  if (value.constant !== undefined || value.type !== "float32" || constant.type !== "float32")
    return undefined;
  const count = shape.reduce((product, size) => product * size, 1);
  if (count <= 1 || shape.length > dims.length) return undefined;
  const padded: Dims = [...dims.slice(shape.length).map(() => 1), ...shape];
  const axis = padded.findIndex((size) => size !== 1);
  if (padded[axis] !== count || dims[axis] !== count) return undefined;
  if (axis === dims.length - 1) return { layout: "NHWC", count };
  return axis === 1 ? { layout: "NCHW", count } : undefined;
}

/** Remembers that a product is one of channels, for the addition that may follow. */
export function scaleOf(value: Value, scale: Value): Value["scaled"] | undefined {
  return channelsOf(value, scale) === undefined ? undefined : { of: value, scale };
}

/**
 * A product of channels and an addition to them, as one BatchNormalization, which passes over the graph know.
 *
 * @returns undefined when the two are something else.
 */
export function scaledBatchNorm(operation: Operation, product: Value, offset: Value): Value | undefined {
  const { scaled } = product;
  if (scaled === undefined || offset.constant === undefined) return undefined;
  const channels = channelsOf(scaled.of, offset);
  if (channels === undefined || channelsOf(scaled.of, scaled.scale)?.layout !== channels.layout)
    return undefined;
  const { graph } = operation;
  const { count, layout } = channels;
  const flat = (value: Value) => graph.reshape(value, [count], [count]);
  const fill = (number: number) => graph.numbers("float32", [count], new Array<number>(count).fill(number));
  return graph.emit(
    "BatchNormalization",
    [scaled.of, flat(scaled.scale), flat(offset), fill(0), fill(1)],
    { type: product.type, dims: product.dims },
    { epsilon: 0, layout },
  );
}

const fused: Convert = (operation) => {
  const [x, scale, offset, mean, variance] = operation.inputs;
  const { graph, attributes } = operation;
  if (!(x && scale && offset && mean && variance)) return operation.input(4);
  const epsilon = attributes.float("epsilon", 1e-4);
  const format = attributes.text("data_format", "NHWC");
  const layout = format.startsWith("NC") ? "NCHW" : "NHWC";
  if (attributes.bool("is_training", true)) return [normalised(operation, layout, epsilon)];
  const parameters = [scale, offset, mean, variance].map((value) => graph.cast(value, x.type));
  const y = operation.emit("BatchNormalization", [x, ...parameters], x, { epsilon, layout });
  return [y, mean, variance, mean, variance];
};

/** By the statistics of the batch itself: Keras computes LayerNormalization so, with a batch of one. */
function normalised(operation: Operation, layout: "NHWC" | "NCHW", epsilon: number): Value {
  const [x, scale, offset] = [operation.input(0), operation.input(1), operation.input(2)];
  const { graph } = operation;
  const dims = operation.dims(0);
  const channel = layout === "NCHW" ? 1 : dims.length - 1;
  const axes = dims.map((_, axis) => axis).filter((axis) => axis !== channel);
  const reduced = { type: x.type, dims: dims.map((dim, axis) => (axis === channel ? dim : 1)) };
  const mean = graph.emit("ReduceMean", [x, graph.int64s(axes)], reduced, { keepdims: 1 });
  const centred = graph.emit("Sub", [x, mean], x);
  const square = graph.emit("Mul", [centred, centred], x);
  const variance = graph.emit("ReduceMean", [square, graph.int64s(axes)], reduced, { keepdims: 1 });
  const stable = graph.emit("Add", [variance, graph.scalar(x.type, epsilon)], reduced);
  const unit = graph.emit("Div", [centred, graph.emit("Sqrt", [stable], reduced)], x);
  const perChannel = (value: Value) => {
    const ones = layout === "NCHW" ? dims.slice(2).map(() => 1) : [];
    return graph.reshape(graph.cast(value, x.type), [-1, ...ones], [dims[channel] ?? 1, ...ones]);
  };
  const scaled = graph.emit("Mul", [unit, perChannel(scale)], x);
  return graph.emit("Add", [scaled, perChannel(offset)], x);
}

export const BATCH_NORM: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["FusedBatchNorm", fused],
  ["FusedBatchNormV2", fused],
  ["FusedBatchNormV3", fused],
]);
