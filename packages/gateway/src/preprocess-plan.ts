/** From what the contract says about pictures, and what the signature says about the input, to a plan for the pixels. */
import { layoutOf, type PreprocessorConfig } from "@vitrine/protocol/contract";
import { processorFamily } from "@vitrine/protocol/image-processors";
import { DataType, dtypeName } from "@vitrine/protocol/tensor";
import type { CropRule } from "./pixels/center-crop.js";
import type { Arithmetic, Layout } from "./pixels/normalize.js";
import { isFloatKernel, type ResizeKernel } from "./pixels/resize-kernel.js";
import type { Aspect, Size, SizeRule } from "./pixels/target-size.js";
import { checkBounds } from "./preprocess-bounds.js";
import { mismatch, planKernel } from "./preprocess-kernel.js";

/** The steps in their order. Plain data: it travels to worker threads. */
export interface PreprocessPlan {
  /** `exif`: the picture is turned upright first. */
  readonly orientation: "exif" | "ignore";
  /** Whose JPEG decoder. */
  readonly decoder: "pillow" | "tensorflow";
  /** `srgb`: pixels are converted by the profile in the file. */
  readonly icc: "ignore" | "srgb";
  /** Large JPEGs may be decoded at reduced scale. */
  readonly reducedDecode: boolean;
  /** Perceiver: the middle that is kept before the resize, as shares of the shorter edge. */
  readonly cropBefore: { readonly width: number; readonly height: number } | undefined;
  /** undefined: the picture keeps its size. */
  readonly resize: SizeRule | undefined;
  readonly aspect: Aspect;
  readonly kernel: ResizeKernel;
  readonly crop: Size | undefined;
  readonly cropRule: CropRule;
  readonly arithmetic: Arithmetic;
  /** Blue, green, red, after the arithmetic. */
  readonly isBgr: boolean;
  /** Zeros to the right and below up to this size, after the arithmetic. */
  readonly pad: Size | undefined;
  readonly layout: Layout;
  readonly dtype: typeof DataType.DT_UINT8 | typeof DataType.DT_FLOAT;
}

/** The model's picture input, as its signature describes it. */
export interface ImageInput {
  readonly dtype: DataType;
  /** -1 where a size is open; undefined when the signature does not even say how many there are. */
  readonly shape: readonly number[] | undefined;
}

/** Processors whose steps no key describes: what they make is no picture, or several. */
const OTHER_STEPS = ["ImageGPT", "Siglip2", "Donut", "PPLCNet", "TimmWrapper", "Gemma3"];

/** At this edge and above ConvNext's processor squashes and does not crop. */
const CONVNEXT_SQUASHES_FROM = 384;

type Backend = "pillow" | "torchvision" | "transforms";

/**
 * Plans the preprocessing.
 *
 * A plain number as `crop_size` is a square, as `size` is unless `default_to_square` is false: Hugging Face's
 * `get_size_dict`. Pictures are always made RGB: `do_convert_rgb: false` has nothing to say about a model with
 * three channels.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH that names the key and the part of the input that disagree.
 */
export function planPreprocessing(config: PreprocessorConfig, input: ImageInput): PreprocessPlan {
  const { orientation, decoder, icc, reduced_decode } = config.vitrine;
  const type = config.image_processor_type ?? config.feature_extractor_type ?? "";
  const family = processorFamily(type);
  if (OTHER_STEPS.includes(family)) {
    throw mismatch(`image_processor_type was ${type}`, "one whose steps preprocessor_config.json describes");
  }
  const backend = config.vitrine.backend ?? (type.endsWith("Fast") ? "torchvision" : "pillow");
  const { resize, crop, cropBefore } = planSizes(config, family);
  const kernel = planKernel(config, backend);
  const plan: PreprocessPlan = {
    orientation,
    decoder,
    icc,
    reducedDecode: reduced_decode,
    cropBefore,
    resize,
    aspect: config.vitrine.resize?.aspect ?? "stretch",
    kernel,
    crop,
    cropRule: CROP_RULES[backend],
    arithmetic: planArithmetic(config, backend),
    isBgr: config.do_flip_channel_order,
    pad: config.do_pad && config.pad_size !== undefined ? sizeOf(config.pad_size) : undefined,
    layout: layoutOf(config, input.shape),
    dtype: dtypeOf(input),
  };
  checkBounds(plan);
  checkAspect(plan);
  checkReduced(plan);
  checkUint8(plan, config);
  checkShape(plan, input.shape);
  return plan;
}

const CROP_RULES: Readonly<Record<Backend, CropRule>> = {
  pillow: "hugging-face",
  torchvision: "hugging-face-tensor",
  transforms: "torchvision",
};

interface Sizes {
  readonly resize: SizeRule | undefined;
  readonly crop: Size | undefined;
  readonly cropBefore?: Size | undefined;
}

/** The sizes of resize and crop, with what single processors make of them. */
function planSizes(config: PreprocessorConfig, family: string): Sizes {
  const resize = planResize(config);
  const crop = planCrop(config);
  const edge = resize !== undefined && "shortestEdge" in resize ? resize.shortestEdge : undefined;
  const { crop_pct } = config;
  if (family === "Levit" && edge !== undefined) {
    return { resize: { shortestEdge: Math.trunc((256 / 224) * edge) }, crop };
  }
  if (family === "Perceiver" && crop !== undefined && resize !== undefined && "width" in resize) {
    const shares = { width: resize.width / crop.width, height: resize.height / crop.height };
    return { resize, crop: undefined, cropBefore: shares };
  }
  if (crop_pct === undefined || resize === undefined) return { resize, crop };
  if (family === "PoolFormer") return { resize: enlarged(resize, crop_pct), crop };
  if (edge === undefined) throw mismatch("crop_pct was given", "size with shortest_edge beside it");
  const square = { width: edge, height: edge };
  if (edge >= CONVNEXT_SQUASHES_FROM) return { resize: square, crop };
  return { resize: { shortestEdge: Math.trunc(edge / crop_pct) }, crop: crop ?? square };
}

/** PoolFormer: a square stands for its edge. */
function enlarged(resize: SizeRule, share: number): SizeRule {
  if ("shortestEdge" in resize) return { shortestEdge: Math.trunc(resize.shortestEdge / share) };
  if (!("width" in resize)) throw mismatch("crop_pct was given", "size with height and width beside it");
  const width = Math.trunc(resize.width / share);
  return resize.width === resize.height
    ? { shortestEdge: width }
    : { width, height: Math.trunc(resize.height / share) };
}

function planResize({
  do_resize,
  size,
  default_to_square,
  size_divisor,
}: PreprocessorConfig): SizeRule | undefined {
  if (!do_resize) return undefined;
  if (size === undefined) throw mismatch("size was missing", "it, because do_resize is true");
  if (typeof size === "number") {
    return default_to_square ? { width: size, height: size } : { shortestEdge: size, divisor: size_divisor };
  }
  if ("shortest_edge" in size) {
    return { shortestEdge: size.shortest_edge, longestEdge: size.longest_edge, divisor: size_divisor };
  }
  if ("longest_edge" in size) return { longestEdge: size.longest_edge };
  if ("max_height" in size) return { maxHeight: size.max_height, maxWidth: size.max_width };
  return sizeOf(size);
}

function planCrop({ do_center_crop, crop_size }: PreprocessorConfig): Size | undefined {
  if (!do_center_crop) return undefined;
  if (crop_size === undefined) throw mismatch("crop_size was missing", "it, because do_center_crop is true");
  if (typeof crop_size !== "number" && "shortest_edge" in crop_size) {
    throw mismatch("crop_size had shortest_edge", "height and width");
  }
  return sizeOf(crop_size);
}

function sizeOf(size: number | { readonly width: number; readonly height: number }): Size {
  return typeof size === "number"
    ? { width: size, height: size }
    : { width: size.width, height: size.height };
}

function planArithmetic(config: PreprocessorConfig, backend: Backend): Arithmetic {
  const { preset } = config.vitrine;
  if (preset !== undefined) return { kind: "keras", preset };
  if (!config.do_rescale && !config.do_normalize) return { kind: "pixels" };
  const mean = config.do_normalize ? threeOf("image_mean", config.image_mean) : undefined;
  const std = config.do_normalize ? threeOf("image_std", config.image_std) : undefined;
  return {
    kind: "hugging-face",
    rounding: ROUNDINGS[backend],
    factor: config.do_rescale ? config.rescale_factor : undefined,
    isOffset: config.do_rescale && config.rescale_offset,
    normalize: mean === undefined || std === undefined ? undefined : { mean, std },
    divideAgain: config.include_top ? std : undefined,
  };
}

const ROUNDINGS = { pillow: "numpy", torchvision: "torch", transforms: "to-tensor" } as const;

function threeOf(key: string, value: number | readonly number[] | undefined): readonly number[] {
  if (value === undefined) throw mismatch(`${key} was missing`, "it, because do_normalize is true");
  return typeof value === "number" ? [value, value, value] : value;
}

function dtypeOf({ dtype }: ImageInput): PreprocessPlan["dtype"] {
  if (dtype === DataType.DT_UINT8 || dtype === DataType.DT_FLOAT) return dtype;
  throw mismatch(`the model's input was ${dtypeName(dtype)}`, "uint8 or float");
}

function checkAspect({ aspect, resize, kernel }: PreprocessPlan): void {
  if (aspect !== "stretch" && resize !== undefined && !("width" in resize)) {
    throw mismatch(`vitrine.resize.aspect was ${aspect}`, "size with height and width beside it");
  }
  if (aspect === "crop" && (kernel.library === "torchvision" || kernel.library === "opencv")) {
    throw mismatch("vitrine.resize.aspect was crop", "library pillow or tensorflow beside it");
  }
  if (aspect === "pad" && kernel.library !== "tensorflow") {
    throw mismatch("vitrine.resize.aspect was pad", "library tensorflow beside it");
  }
}

function checkReduced({ reducedDecode, decoder, resize, kernel, cropBefore }: PreprocessPlan): void {
  const isPillow = decoder === "pillow" && resize !== undefined && kernel.library === "pillow";
  if (!reducedDecode || (isPillow && cropBefore === undefined)) return;
  throw mismatch("vitrine.reduced_decode was true", "decoder and resize by pillow beside it");
}

function checkUint8(plan: PreprocessPlan, config: PreprocessorConfig): void {
  if (plan.dtype !== DataType.DT_UINT8) return;
  const { preset } = config.vitrine;
  if (plan.arithmetic.kind !== "pixels") {
    const key = preset === undefined ? doKeys(config) : `vitrine.preset ${preset}`;
    throw mismatch(`${key} was set but the input is uint8`, "float, or pixels without arithmetic");
  }
  if (plan.resize !== undefined && isFloatKernel(plan.kernel)) {
    throw mismatch(
      "vitrine.resize gives fractions but the input is uint8",
      "float, or a method that gives whole samples",
    );
  }
}

function doKeys({ do_rescale, do_normalize }: PreprocessorConfig): string {
  return [do_rescale && "do_rescale", do_normalize && "do_normalize"].filter(Boolean).join(" and ");
}

/** Compares the tensor's shape with the signature's, size by size. */
function checkShape(plan: PreprocessPlan, shape: readonly number[] | undefined): void {
  if (shape === undefined) return;
  const isChannelsLast = plan.layout === "NHWC";
  const written = `[${shape.join(", ")}]`;
  const [rows, ...sizes] = shape;
  if (sizes.length !== 3)
    throw mismatch(`the model's input had shape ${written}`, `four sizes, ${plan.layout}`);
  if (rows !== -1 && rows !== 1)
    throw mismatch(`the model's input had shape ${written}`, "an open first size, or 1");
  const [height, width, channels] = isChannelsLast ? sizes : [sizes[1], sizes[2], sizes[0]];
  if (channels !== -1 && channels !== 3) {
    throw mismatch(
      `the model's input had shape ${written}`,
      `3 channels ${isChannelsLast ? "last" : "first"} (layout ${plan.layout})`,
    );
  }
  const known = outputSize(plan);
  if (known === undefined) {
    if (height === -1 && width === -1) return;
    throw mismatch(
      `the model's input had shape ${written}`,
      "open height and width, because neither size nor crop_size fixes them",
    );
  }
  if ((height !== -1 && height !== known.height) || (width !== -1 && width !== known.width)) {
    const key = plan.pad !== undefined ? "pad_size" : plan.crop === undefined ? "size" : "crop_size";
    throw mismatch(
      `${key} was ${known.height}x${known.width} (height x width)`,
      `${height}x${width}, because the model's input is ${written}`,
    );
  }
}

/** Size of every tensor of the plan; undefined where it depends on the picture. */
export function outputSize({ pad, crop, resize }: PreprocessPlan): Size | undefined {
  return pad ?? crop ?? (resize !== undefined && "width" in resize ? resize : undefined);
}
