/** From what the contract says about pictures, and what the signature says about the input, to a plan for the pixels. */
import type { PreprocessorConfig } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, dtypeName } from "@vitrine/protocol/tensor";
import type { Arithmetic, Layout } from "./pixels/normalize.js";
import type { ResizeFilter } from "./pixels/resize.js";

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The steps in their order. Plain data: it travels to worker threads. */
export interface PreprocessPlan {
  /** `exif`: the picture is turned upright first. */
  readonly orientation: "exif" | "ignore";
  /** undefined: the picture keeps its size. `shortestEdge` keeps its proportions. */
  readonly resize: (Size | { readonly shortestEdge: number }) | undefined;
  readonly filter: ResizeFilter;
  readonly crop: Size | undefined;
  readonly arithmetic: Arithmetic;
  readonly layout: Layout;
  readonly dtype: typeof DataType.DT_UINT8 | typeof DataType.DT_FLOAT;
}

/** The model's picture input, as its signature describes it. */
export interface ImageInput {
  readonly dtype: DataType;
  /** -1 where a size is open; undefined when the signature does not even say how many there are. */
  readonly shape: readonly number[] | undefined;
}

/** By Pillow's number. */
const FILTERS: readonly ResizeFilter[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/**
 * Plans the preprocessing.
 *
 * A plain number as `size` or `crop_size` is a square, as in Hugging Face's `get_size_dict`. Pictures are always
 * made RGB: `do_convert_rgb: false` has nothing to say about a model with three channels.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH that names the key and the part of the input that disagree.
 */
export function planPreprocessing(config: PreprocessorConfig, input: ImageInput): PreprocessPlan {
  const { orientation, layout } = config.vitrine;
  const plan: PreprocessPlan = {
    orientation,
    resize: planResize(config),
    filter: FILTERS[config.resample] ?? "bilinear",
    crop: planCrop(config),
    arithmetic: planArithmetic(config),
    layout,
    dtype: dtypeOf(input),
  };
  if (plan.dtype === DataType.DT_UINT8 && plan.arithmetic.kind !== "pixels") {
    const key =
      config.vitrine.preset === undefined ? doKeys(config) : `vitrine.preset ${config.vitrine.preset}`;
    throw mismatch(`${key} was set but the input is uint8`, "float, or pixels without arithmetic");
  }
  checkShape(plan, input.shape);
  return plan;
}

function doKeys({ do_rescale, do_normalize }: PreprocessorConfig): string {
  return [do_rescale && "do_rescale", do_normalize && "do_normalize"].filter(Boolean).join(" and ");
}

function planResize({ do_resize, size }: PreprocessorConfig): PreprocessPlan["resize"] {
  if (!do_resize) return undefined;
  if (size === undefined) throw mismatch("size was missing", "it, because do_resize is true");
  if (typeof size === "number") return { width: size, height: size };
  return "shortest_edge" in size
    ? { shortestEdge: size.shortest_edge }
    : { width: size.width, height: size.height };
}

function planCrop({ do_center_crop, crop_size }: PreprocessorConfig): Size | undefined {
  if (!do_center_crop) return undefined;
  if (crop_size === undefined) throw mismatch("crop_size was missing", "it, because do_center_crop is true");
  if (typeof crop_size === "number") return { width: crop_size, height: crop_size };
  if ("shortest_edge" in crop_size) throw mismatch("crop_size had shortest_edge", "height and width");
  return { width: crop_size.width, height: crop_size.height };
}

function planArithmetic(config: PreprocessorConfig): Arithmetic {
  const { preset } = config.vitrine;
  if (preset !== undefined) return { kind: "keras", preset };
  if (!config.do_rescale && !config.do_normalize) return { kind: "pixels" };
  return {
    kind: "hugging-face",
    factor: config.do_rescale ? config.rescale_factor : undefined,
    normalize: config.do_normalize
      ? { mean: threeOf("image_mean", config.image_mean), std: threeOf("image_std", config.image_std) }
      : undefined,
  };
}

function threeOf(key: string, value: number | readonly number[] | undefined): readonly number[] {
  if (value === undefined) throw mismatch(`${key} was missing`, "it, because do_normalize is true");
  return typeof value === "number" ? [value, value, value] : value;
}

function dtypeOf({ dtype }: ImageInput): PreprocessPlan["dtype"] {
  if (dtype === DataType.DT_UINT8 || dtype === DataType.DT_FLOAT) return dtype;
  throw mismatch(`the model's input was ${dtypeName(dtype)}`, "uint8 or float");
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
  const known = plan.crop ?? (plan.resize !== undefined && "width" in plan.resize ? plan.resize : undefined);
  if (known === undefined) {
    if (height === -1 && width === -1) return;
    throw mismatch(
      `the model's input had shape ${written}`,
      "open height and width, because neither size nor crop_size fixes them",
    );
  }
  if ((height !== -1 && height !== known.height) || (width !== -1 && width !== known.width)) {
    const key = plan.crop === undefined ? "size" : "crop_size";
    throw mismatch(
      `${key} was ${known.height}x${known.width} (height x width)`,
      `${height}x${width}, because the model's input is ${written}`,
    );
  }
}

function mismatch(what: string, expected: string): ServeError {
  return new ServeError(
    "MODEL_CONTRACT_MISMATCH",
    `preprocessor_config.json does not fit the model: ${what}, expected ${expected}`,
  );
}
