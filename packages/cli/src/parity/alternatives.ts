/** What training may have done otherwise than the contract says, step by step, and the keys that say so. */
import { OPENCV_METHODS } from "@vitrine/gateway/pixels/resize-opencv";
import { TENSORFLOW_METHODS } from "@vitrine/gateway/pixels/resize-tensorflow";
import type { PreprocessPlan } from "@vitrine/gateway/preprocess-plan";
import type { JsonObject } from "./config-patch.js";

/** In the order in which a picture passes them. */
export const STEPS = [
  "decode",
  "orientation",
  "size and crop",
  "resize filter",
  "colour order",
  "scale",
  "layout",
] as const;

export type Step = (typeof STEPS)[number];

export interface Alternative {
  readonly label: string;
  /** Keys of preprocessor_config.json. */
  readonly patch: JsonObject;
}

/** Nothing changed. */
export const AS_IT_IS: Alternative = { label: "", patch: {} };

export const ORIENTATIONS: readonly Alternative[] = [
  { label: "exif", patch: { vitrine: { orientation: "exif" } } },
  { label: "ignore", patch: { vitrine: { orientation: null } } },
];

/** For JPEGs. */
export const DECODERS: readonly Alternative[] = [
  { label: "Pillow", patch: { vitrine: { decoder: null } } },
  { label: "TensorFlow's decode_jpeg", patch: { vitrine: { decoder: "tensorflow" } } },
];

/** For files with a colour profile. */
export const PROFILES: readonly Alternative[] = [
  { label: "colour profile ignored", patch: { vitrine: { icc: null } } },
  { label: "colour profile applied", patch: { vitrine: { icc: "srgb" } } },
];

const PLAIN_SIZE = {
  do_center_crop: null,
  crop_size: null,
  crop_pct: null,
  size_divisor: null,
  default_to_square: null,
  do_pad: null,
  pad_size: null,
  image_processor_type: null,
  feature_extractor_type: null,
};

/** Ratios of crop to resized edge that published models use. */
const CROP_SHARES = [1, 0.875, 0.9, 0.95, 0.96, 224 / 232, 224 / 236, 224 / 255];

/** Ways to a picture of the recorded size. */
export function sizesTo(width: number, height: number): Alternative[] {
  const size = { height, width };
  const written = `${width}x${height}`;
  const plain = { ...PLAIN_SIZE, do_resize: null };
  const edge = Math.max(width, height);
  const edges = [...new Set(CROP_SHARES.map((share) => Math.trunc(edge / share + 1e-9)))];
  return [
    {
      label: `stretched to ${written}`,
      patch: { ...plain, size, vitrine: { resize: { aspect: null, box: null } } },
    },
    {
      label: `middle of the same proportions resized to ${written}`,
      patch: { ...plain, size, vitrine: { resize: { aspect: "crop", box: null } } },
    },
    {
      label: `fitted into ${written} with black around`,
      patch: { ...plain, size, vitrine: { resize: { aspect: "pad", library: "tensorflow", box: null } } },
    },
    ...edges.map((shortest) => ({
      label: `shortest edge to ${shortest}, middle ${written} cut out`,
      patch: {
        ...plain,
        size: { shortest_edge: shortest },
        do_center_crop: true,
        crop_size: size,
        vitrine: { resize: { aspect: null, box: null } },
      },
    })),
    {
      label: `shortest edge to ${Math.min(width, height)}`,
      patch: {
        ...plain,
        size: { shortest_edge: Math.min(width, height) },
        vitrine: { resize: { aspect: null, box: null } },
      },
    },
    {
      label: `not resized, middle ${written} cut out`,
      patch: { ...plain, do_resize: false, size: null, do_center_crop: true, crop_size: size },
    },
    { label: "not resized", patch: { ...plain, do_resize: false, size: null } },
  ];
}

const PILLOW_FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

/** Every resize that a contract can name, those that take long last. */
export function kernels(plan: PreprocessPlan): Alternative[] {
  const others = { method: null, antialias: null, reducing_gap: null };
  const isOurs = plan.kernel.library === "pillow";
  return [
    ...PILLOW_FILTERS.map((filter, resample) => ({
      label: `Pillow ${filter}`,
      patch: { resample, vitrine: { resize: { ...others, library: isOurs ? null : "pillow" } } },
    })),
    ...PILLOW_FILTERS.slice(1).map((filter) => ({
      label: `Pillow ${filter}, version 12 or older`,
      patch: { vitrine: { resize: { ...others, library: "pillow-12", method: filter } } },
    })),
    ...["nearest", "bilinear", "bicubic"].map((method) => ({
      label: `torchvision ${method} of a uint8 tensor`,
      patch: { vitrine: { resize: { ...others, library: "torchvision", method } } },
    })),
    ...OPENCV_METHODS.map((method) => ({
      label: `cv2.resize ${method}`,
      patch: { vitrine: { resize: { ...others, library: "opencv", method } } },
    })),
    ...TENSORFLOW_METHODS.flatMap((method) =>
      (method === "nearest" || method === "area" ? [null] : [null, true]).map((antialias) => ({
        label: `tf.image.resize ${method}${antialias === null ? "" : " with antialias"}`,
        patch: { vitrine: { resize: { ...others, library: "tensorflow", method, antialias } } },
      })),
    ),
  ];
}

export const COLOUR_ORDERS: readonly Alternative[] = [
  { label: "red first", patch: { do_flip_channel_order: null } },
  { label: "blue first", patch: { do_flip_channel_order: true } },
];

const NO_PRESET = { rescale_offset: null, include_top: null, vitrine: { preset: null } };
const BARE = {
  do_rescale: false,
  do_normalize: false,
  image_mean: null,
  image_std: null,
  rescale_factor: null,
};

function normalized(label: string, mean: readonly number[], std: readonly number[]): Alternative {
  return {
    label,
    patch: {
      ...NO_PRESET,
      do_rescale: null,
      rescale_factor: null,
      do_normalize: null,
      image_mean: mean,
      image_std: std,
    },
  };
}

/** The arithmetics of published models. */
export const SCALES: readonly Alternative[] = [
  { label: "0 to 255", patch: { ...NO_PRESET, ...BARE } },
  { label: "0 to 1", patch: { ...NO_PRESET, ...BARE, do_rescale: null } },
  { label: "-1 to 1 (Keras preset tf)", patch: { ...NO_PRESET, ...BARE, vitrine: { preset: "tf" } } },
  {
    label: "ImageNet's mean and deviation (Keras preset torch)",
    patch: { ...NO_PRESET, ...BARE, vitrine: { preset: "torch" } },
  },
  {
    label: "ImageNet's mean, blue first (Keras preset caffe)",
    patch: { ...NO_PRESET, ...BARE, vitrine: { preset: "caffe" } },
  },
  normalized("ImageNet's mean and deviation", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
  normalized("-1 to 1 (mean and deviation 0.5)", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
  normalized(
    "CLIP's mean and deviation",
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
  ),
];

/**
 * Mean and deviation from a fit, value = sample * slope + start in each channel.
 *
 * @returns undefined when a slope is not positive.
 */
export function fittedScale(
  fit: readonly { readonly slope: number; readonly start: number }[],
): Alternative | undefined {
  if (fit.length !== 3 || fit.some(({ slope }) => !(slope > 0))) return undefined;
  const round = (value: number): number => Number(value.toPrecision(6));
  const mean = fit.map(({ slope, start }) => round(-start / slope / 255));
  const std = fit.map(({ slope }) => round(1 / (255 * slope)));
  return normalized(`mean ${mean.join(", ")} and deviation ${std.join(", ")} (fitted)`, mean, std);
}
