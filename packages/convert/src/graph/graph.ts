/**
 * The one small graph between all formats. Its operators are ONNX's, in the meaning of opset 21, with one liberty:
 * operators that know where the channels are carry a `layout`, so that Keras and TensorFlow models (NHWC) and ONNX
 * models (NCHW) are both written down as they are.
 */

/** Element types, by ONNX's and NumPy's names. */
export type ElementType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float64"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "string";

/** Sizes of a tensor, row-major; -1 is a size known only at run time. */
export type Shape = readonly number[];

/** A tensor stored in the graph: weights, axes, sizes. Its bytes are never changed in place: graphs may share them. */
export interface Constant {
  readonly type: ElementType;
  /** No -1. */
  readonly shape: Shape;
  /** Little-endian elements, row-major; at any offset of its buffer. Bool is one byte each. Strings lie in `strings`. */
  readonly bytes: Uint8Array;
  /** Elements of a string tensor, else absent. */
  readonly strings?: readonly Uint8Array[];
}

/** Values of attributes. Sizes and axes are numbers: nothing in a classifier exceeds 2^53. */
export type Attribute = number | string | boolean | readonly number[] | readonly string[] | Constant;

/**
 * One operator.
 *
 * `inputs` names values: a graph input, a constant, or another node's output; "" is an optional input that is not
 * given. What newer opsets take as inputs (axes, sizes, pads, min and max) is an input here, too.
 *
 * With `layout` "NHWC" the data tensor and the result are [N, ...spatial, C]; with "NCHW", [N, C, ...spatial]. Only
 * these carry it, always: Conv, ConvTranspose, MaxPool, AveragePool, LpPool, GlobalAveragePool, GlobalMaxPool,
 * BatchNormalization, InstanceNormalization, GroupNormalization, DepthToSpace, SpaceToDepth. Kernels are ONNX's in either layout: Conv
 * [outputs, inputs / group, ...spatial], ConvTranspose [inputs, outputs / group, ...spatial]. A depthwise convolution
 * is Conv with group = inputs. Pads and strides list spatial axes only. Resize names its axes by itself.
 * Attributes that name an element type (`to` of Cast, `dtype`, `output_dtype`) hold an ElementType.
 */
export interface Node {
  readonly op: string;
  /** Unique in the graph; the source's own name for it (layer, node), so that a message can point at it. */
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** What callers feed. */
export interface GraphInput {
  /** Value inside the graph. */
  readonly value: string;
  /** Name that callers use: the alias in a SavedModel's signature, the input's name in an ONNX model. */
  readonly alias: string;
  readonly type: ElementType;
  /** Undefined = of any rank. */
  readonly shape: Shape | undefined;
}

/** What callers get. Type and shape as the source states them; `inferShapes` fills what it does not. */
export interface GraphOutput {
  readonly value: string;
  readonly alias: string;
  readonly type: ElementType;
  readonly shape: Shape | undefined;
}

/** A whole model. Passes (optimise, layout) return a new one; nothing changes a graph in place. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
  /** In an order in which each node follows those whose outputs it takes. */
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
}
