/**
 * What Hugging Face's image processors take for granted when `preprocessor_config.json` does not say it: the class
 * attributes of transformers 5.23.0, of every class that an image classification model names.
 *
 * A file says the rest itself, so only what a class has otherwise than the plain rules of contract.ts stands here.
 */

type Defaults = Readonly<Record<string, unknown>>;

const BICUBIC = { resample: 3 };
const HALVES = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const IMAGENET = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const CLIP = {
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};
const square = (size: number): Defaults => ({ height: size, width: size });
const SHORTEST_THEN_CROP = { default_to_square: false, size: { shortest_edge: 224 }, crop_size: square(224) };

/** By the class' name without `FeatureExtractor`, `ImageProcessor`, `Fast` and `Pil`. */
const DEFAULTS: Readonly<Record<string, Defaults>> = {
  ViT: { size: square(224), ...HALVES },
  Beit: { size: square(224), crop_size: square(224), ...BICUBIC, ...HALVES },
  Bit: { ...SHORTEST_THEN_CROP, do_center_crop: true, ...BICUBIC, ...CLIP },
  CLIP: { ...SHORTEST_THEN_CROP, do_center_crop: true, ...BICUBIC, ...CLIP },
  ConvNext: {
    default_to_square: false,
    size: { shortest_edge: 384 },
    crop_pct: 224 / 256,
    ...BICUBIC,
    ...HALVES,
  },
  DeiT: { size: square(256), crop_size: square(224), do_center_crop: true, ...BICUBIC, ...HALVES },
  EfficientNet: { size: square(346), crop_size: square(289), ...BICUBIC, include_top: true, ...HALVES },
  Levit: { ...SHORTEST_THEN_CROP, do_center_crop: true, ...BICUBIC, ...IMAGENET },
  MobileNetV1: {
    ...SHORTEST_THEN_CROP,
    size: { shortest_edge: 256 },
    do_center_crop: true,
    ...HALVES,
  },
  MobileNetV2: {
    ...SHORTEST_THEN_CROP,
    size: { shortest_edge: 256 },
    do_center_crop: true,
    ...HALVES,
  },
  MobileViT: {
    ...SHORTEST_THEN_CROP,
    crop_size: square(256),
    do_center_crop: true,
    do_normalize: false,
    do_flip_channel_order: true,
    ...BICUBIC,
    ...HALVES,
  },
  Perceiver: { size: square(224), crop_size: square(256), do_center_crop: true, ...BICUBIC, ...IMAGENET },
  PoolFormer: { ...SHORTEST_THEN_CROP, do_center_crop: true, crop_pct: 0.9, ...BICUBIC, ...IMAGENET },
  Pvt: { size: square(224), ...BICUBIC, ...IMAGENET },
  Segformer: { size: square(512), ...IMAGENET },
  Siglip: { default_to_square: false, size: square(224), ...BICUBIC, ...HALVES },
  TextNet: {
    default_to_square: false,
    size: { shortest_edge: 640 },
    crop_size: square(224),
    size_divisor: 32,
    ...IMAGENET,
  },
};

/** The name in {@link DEFAULTS} of a class, such as ViT of `ViTImageProcessorFast`. */
export function processorFamily(type: string): string {
  return type.replace(/(?:FeatureExtractor|ImageProcessor)(?:Fast|Pil)?$/, "");
}

/**
 * A preprocessor configuration with what its class takes for granted. A null counts as not said, as it does there.
 *
 * @param config as read; anything that is no object is handed back as it is.
 */
export function withProcessorDefaults(config: unknown): unknown {
  if (typeof config !== "object" || config === null || Array.isArray(config)) return config;
  const said: Record<string, unknown> = Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== null),
  );
  const type = said.image_processor_type ?? said.feature_extractor_type;
  const family = typeof type === "string" ? processorFamily(type) : "";
  return Object.hasOwn(DEFAULTS, family) ? { ...DEFAULTS[family], ...said } : said;
}
