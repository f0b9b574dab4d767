/** Pools, and the moves between depth and space. */
import type { Convert } from "../operation.js";
import { placeWindow, resized, windowOf } from "./window.js";

const pool =
  (op: "MaxPool" | "AveragePool"): Convert =>
  (operation) => {
    const x = operation.input(0);
    const dims = operation.dims(0);
    const window = windowOf(operation, dims.length);
    const all = operation.attributes.ints("ksize", []);
    if (all.length !== dims.length || all[0] !== 1 || all[window.channelAxis] !== 1) {
      throw operation.refuse(`a window of [${all.join(", ")}]`, "1 for batch and channels");
    }
    const kernel = window.spatialAxes.map((axis) => all[axis] ?? 1);
    const { attributes, spatial } = placeWindow(window, kernel, dims);
    const result = { type: x.type, dims: resized(window, dims, spatial, dims[window.channelAxis] ?? 1) };
    return operation.emit(op, [x], result, {
      layout: window.layout,
      kernel_shape: kernel,
      strides: window.strides,
      ...attributes,
    });
  };

const blocks =
  (op: "SpaceToDepth" | "DepthToSpace"): Convert =>
  (operation) => {
    const x = operation.input(0);
    const dims = operation.dims(0);
    const format = operation.attributes.text("data_format", "NHWC");
    if (dims.length !== 4 || (format !== "NHWC" && format !== "NCHW"))
      throw operation.refuse(format, "NHWC or NCHW");
    const size = operation.attributes.int("block_size", 0);
    if (size < 1) throw operation.refuse(`a block of ${size}`, "at least 1");
    const channel = format === "NHWC" ? 3 : 1;
    const factor = (axis: number) => {
      if (axis === 0) return 1;
      const grows = (axis === channel) === (op === "SpaceToDepth");
      const by = axis === channel ? size * size : size;
      return grows ? by : 1 / by;
    };
    const result = {
      type: x.type,
      dims: dims.map((dim, axis) =>
        typeof dim === "number" ? dim * factor(axis) : axis === 0 ? dim : `${dim}*${factor(axis)}`,
      ),
    };
    return operation.emit(op, [x], result, {
      layout: format,
      blocksize: size,
      ...(op === "DepthToSpace" ? { mode: "DCR" } : {}),
    });
  };

/** Across channels, which ONNX knows second only. */
const localResponse: Convert = (operation) => {
  const x = operation.input(0);
  const { attributes, graph } = operation;
  const size = 2 * attributes.int("depth_radius", 5) + 1;
  const turned = graph.transpose(x, [0, 3, 1, 2]);
  const normal = graph.emit("LRN", [turned], turned, {
    size,
    alpha: attributes.float("alpha", 1) * size,
    beta: attributes.float("beta", 0.5),
    bias: attributes.float("bias", 1),
  });
  return graph.transpose(normal, [0, 2, 3, 1]);
};

export const POOLING: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["MaxPool", pool("MaxPool")],
  ["MaxPool3D", pool("MaxPool")],
  ["AvgPool", pool("AveragePool")],
  ["AvgPool3D", pool("AveragePool")],
  ["SpaceToDepth", blocks("SpaceToDepth")],
  ["DepthToSpace", blocks("DepthToSpace")],
  ["LRN", localResponse],
]);
