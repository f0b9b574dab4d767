/**
 * The contract of a model: how a picture becomes its input and how its output becomes labels. It lies beside
 * the model as `config.json` and `preprocessor_config.json` and travels to the gateway as the metadata field
 * `vitrine.contract`.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { withProcessorDefaults } from "./image-processors.js";
import { ServeError } from "./status.js";

/** Name of the extra GetModelMetadata field. Its value is an Any of StringValue that holds the contract's JSON. */
export const CONTRACT_METADATA_FIELD = "vitrine.contract";

const pixelSize = z.int().min(1).max(8192);

const sizePairSchema = z.strictObject({ height: pixelSize, width: pixelSize });

/** `size` in the forms that Hugging Face writes. */
const imageSizeSchema = z.union([
  pixelSize,
  sizePairSchema,
  z.strictObject({ shortest_edge: pixelSize, longest_edge: pixelSize.optional() }),
  z.strictObject({ longest_edge: pixelSize }),
  z.strictObject({ max_height: pixelSize, max_width: pixelSize }),
]);

const perChannel = z.union([z.number(), z.array(z.number()).length(3)]);

/**
 * Whose resize it is, where that is not Pillow's of the plain keys.
 *
 * - `pillow`: Image.resize; `method` one of its six filters, in place of `resample`. `pillow-12`: as version 12 and older
 *   did it, which rounds some photos that are much taller than wide otherwise.
 * - `torchvision`: resize of a uint8 tensor with antialias, as Hugging Face's Fast processors do; bilinear, bicubic, nearest.
 * - `tensorflow`: tf.image.resize; all methods. Its result is float unless the method is nearest.
 * - `opencv`: cv2.resize of a uint8 picture; nearest, linear (its default, and ours), area.
 */
const resizeSchema = z.strictObject({
  library: z.enum(["pillow", "pillow-12", "torchvision", "tensorflow", "opencv"]).optional(),
  method: z.string().optional(),
  /** tf.image.resize's own parameter. */
  antialias: z.boolean().default(false),
  /**
   * What happens to the proportions on the way to a size of height and width: `stretch`; `crop`, the middle of the
   * same proportions is resized (Keras' crop_to_aspect_ratio, load_img's keep_aspect_ratio; not of torchvision or opencv); `pad`, black around
   * (Keras' pad_to_aspect_ratio, tf.image.resize_with_pad).
   */
  aspect: z.enum(["stretch", "crop", "pad"]).default("stretch"),
  /** Image.resize's parameters, in pixels of the source: left, top, right, bottom. */
  box: z.tuple([z.number().min(0), z.number().min(0), z.number(), z.number()]).optional(),
  reducing_gap: z.number().min(1).optional(),
});

const preprocessorObject = z.looseObject({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_convert_rgb: z.boolean().default(true),
  do_resize: z.boolean().default(true),
  size: imageSizeSchema.optional(),
  /** Whether a plain number as `size` is a square, or the shortest edge. */
  default_to_square: z.boolean().default(true),
  /** Pillow's number of the filter: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming. */
  resample: z.int().min(0).max(5).default(2),
  /** Part of the resized picture that is kept: ConvNext's and PoolFormer's. */
  crop_pct: z.number().positive().max(1).optional(),
  /** Sizes are rounded up to a multiple: TextNet's. */
  size_divisor: pixelSize.optional(),
  do_center_crop: z.boolean().default(false),
  crop_size: z.union([pixelSize, sizePairSchema, z.strictObject({ shortest_edge: pixelSize })]).optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  /** EfficientNet: 1 is subtracted after rescaling; and with `include_top` the result is divided by `image_std` once more. */
  rescale_offset: z.boolean().default(false),
  include_top: z.boolean().default(false),
  do_normalize: z.boolean().default(true),
  image_mean: perChannel.optional(),
  image_std: perChannel.optional(),
  /** Blue first: MobileViT's. */
  do_flip_channel_order: z.boolean().default(false),
  /** Zeros to the right and below, after all arithmetic. */
  do_pad: z.boolean().default(false),
  pad_size: z.union([pixelSize, sizePairSchema]).optional(),
  vitrine: z
    .looseObject({
      /** `exif` turns the picture upright as its EXIF tag says; `ignore` takes the pixels as they are stored. */
      orientation: z.enum(["exif", "ignore"]).default("ignore"),
      /**
       * Whose JPEG decoder: Pillow's, or that of TensorFlow's decode_jpeg and decode_image without dct_method, which
       * image_dataset_from_directory uses and which is up to 6 steps apart. All else about them is the same.
       */
      decoder: z.enum(["pillow", "tensorflow"]).default("pillow"),
      /** `srgb` converts pixels by the profile in the file; `ignore`, as nearly all training does, leaves them. */
      icc: z.enum(["ignore", "srgb"]).default("ignore"),
      /**
       * Lets large JPEGs be decoded at a half, a quarter or an eighth of their size, never below that of the resize:
       * Pillow's Image.draft. Several times as fast, and other pixels than a full decode gives.
       */
      reduced_decode: z.boolean().default(false),
      resize: resizeSchema.optional(),
      /** Keras' `preprocess_input` arithmetic; it replaces rescale and normalize. */
      preset: z.enum(["tf", "torch", "caffe"]).optional(),
      /**
       * Whose steps the other keys name. They differ by a unit in pixels and by float32's last places after that:
       *
       * - `pillow`: Hugging Face's processors over Pillow and NumPy; the default.
       * - `torchvision`: its processors over tensors, which are the default since transformers 5; the default here where
       *   `image_processor_type` ends in `Fast`. Also resizes as `resize: {library: "torchvision"}`.
       * - `transforms`: torchvision's Resize, CenterCrop, ToTensor and Normalize on a Pillow picture.
       */
      backend: z.enum(["pillow", "torchvision", "transforms"]).optional(),
      /** Without it, as the model's input shows; where that is open, too, see {@link layoutOf}. */
      layout: z.enum(["NHWC", "NCHW"]).optional(),
    })
    .prefault({}),
});

const preprocessorSchema = z.preprocess(withProcessorDefaults, preprocessorObject);

const modelConfigSchema = z.looseObject({
  id2label: z.record(z.string().regex(/^\d+$/), z.string().min(1)),
  vitrine: z
    .looseObject({
      score_kind: z.enum(["logits", "probabilities"]).default("logits"),
      temperature: z.number().positive().default(1),
      threshold: z.number().min(0).max(1).optional(),
      scores_output: z.string().optional(),
      activation_map_output: z.string().optional(),
    })
    .prefault({}),
});

export type PreprocessorConfig = z.output<typeof preprocessorSchema>;

/**
 * Order of the model's input. A file of a Hugging Face processor that says nothing means channels first: its models
 * are PyTorch's, and their exports often leave every size open.
 *
 * @param shape of the input, -1 where a size is open; undefined when not even their number is known.
 */
export function layoutOf(config: PreprocessorConfig, shape: readonly number[] | undefined): "NHWC" | "NCHW" {
  const { layout } = config.vitrine;
  if (layout !== undefined) return layout;
  if (shape?.length === 4 && shape[3] === 3) return "NHWC";
  if (shape?.length === 4 && shape[1] === 3) return "NCHW";
  const isProcessor = config.image_processor_type ?? config.feature_extractor_type;
  return isProcessor === undefined ? "NHWC" : "NCHW";
}

export interface ModelContract {
  /** Both files as they were written; what travels and what the digest covers. */
  readonly files: { readonly config: unknown; readonly preprocessor: unknown };
  /** `sha256:` and 64 hex digits over the canonical JSON of both files. */
  readonly digest: string;
  /** Label of each output index, in order; no two are alike. */
  readonly labels: readonly string[];
  readonly scoreKind: "logits" | "probabilities";
  /** Logits are divided by it before softmax. */
  readonly temperature: number;
  /** Greatest probability below this means "not sure". */
  readonly threshold: number | undefined;
  /** Output alias that holds the scores, when the model has several outputs. */
  readonly scoresOutput: string | undefined;
  /** Output alias that holds one map per label, float32 [N, labels, h, w]. */
  readonly activationMapOutput: string | undefined;
  readonly preprocessor: PreprocessorConfig;
}

/**
 * Checks the two files and derives the contract.
 *
 * @throws {ServeError} MODEL_INVALID that names each wrong key, its value's problem and the file.
 */
export function contractFromFiles(config: unknown, preprocessor: unknown): ModelContract {
  const checkedConfig = check(modelConfigSchema, config, "config.json");
  const checkedPreprocessor = check(preprocessorSchema, preprocessor, "preprocessor_config.json");
  const { vitrine } = checkedConfig;
  return {
    files: { config, preprocessor },
    digest: contractDigest(config, preprocessor),
    labels: withoutTwins(labelsInOrder(checkedConfig.id2label)),
    scoreKind: vitrine.score_kind,
    temperature: vitrine.temperature,
    threshold: vitrine.threshold,
    scoresOutput: vitrine.scores_output,
    activationMapOutput: vitrine.activation_map_output,
    preprocessor: checkedPreprocessor,
  };
}

/**
 * Reads `config.json` and `preprocessor_config.json` from a version folder or from its `assets.extra/`.
 *
 * @returns undefined when neither place holds a `config.json`: a model without a contract is legal.
 * @throws {ServeError} MODEL_INVALID when a file is not JSON, does not fit, or only one of the two is there.
 */
export async function readContract(versionFolder: string): Promise<ModelContract | undefined> {
  for (const folder of [versionFolder, path.join(versionFolder, "assets.extra")]) {
    const config = await readJson(folder, "config.json");
    const preprocessor = await readJson(folder, "preprocessor_config.json");
    if (config === undefined && preprocessor === undefined) continue;
    if (config === undefined || preprocessor === undefined) {
      const missing = config === undefined ? "config.json" : "preprocessor_config.json";
      throw new ServeError(
        "MODEL_INVALID",
        `${missing} was missing, expected it beside the other contract file`,
      );
    }
    return contractFromFiles(config, preprocessor);
  }
  return undefined;
}

/** The JSON text that GetModelMetadata answers under {@link CONTRACT_METADATA_FIELD}. */
export function contractToJson(contract: ModelContract): string {
  return JSON.stringify({ schema: 1, ...contract.files, digest: contract.digest });
}

const travellingSchema = z.looseObject({
  schema: z.literal(1),
  config: z.unknown(),
  preprocessor: z.unknown(),
  digest: z.string(),
});

/**
 * Reads what {@link contractToJson} wrote.
 *
 * @throws {ServeError} MODEL_INVALID when it is no such JSON, or the digest is not that of the two files.
 */
export function contractFromJson(text: string): ModelContract {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ServeError("MODEL_INVALID", `${CONTRACT_METADATA_FIELD} was not JSON`, { cause });
  }
  const travelling = check(travellingSchema, json, CONTRACT_METADATA_FIELD);
  const contract = contractFromFiles(travelling.config, travelling.preprocessor);
  if (contract.digest !== travelling.digest) {
    throw new ServeError(
      "MODEL_INVALID",
      `${CONTRACT_METADATA_FIELD} had digest ${travelling.digest}, expected ${contract.digest} for its content`,
    );
  }
  return contract;
}

/** Digest over `{"config": …, "preprocessor": …}` in canonical JSON: keys sorted by code unit, no spaces (RFC 8785 order). */
function contractDigest(config: unknown, preprocessor: unknown): string {
  const text = canonicalJson({ config, preprocessor });
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

function labelsInOrder(id2label: Readonly<Record<string, string>>): string[] {
  const count = Object.keys(id2label).length;
  return Array.from({ length: count }, (_, index) => {
    const label = id2label[String(index)];
    if (label === undefined) {
      throw new ServeError(
        "MODEL_INVALID",
        `config.json: id2label had ${count} entries but none for ${index}, expected 0 to ${count - 1}`,
      );
    }
    return label;
  });
}

/**
 * Adds its index to each label that another output has as well: ImageNet has two cranes, which become `crane (134)` and
 * `crane (517)`. Answers are told apart by their labels.
 */
function withoutTwins(labels: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const taken = new Set(labels);
  return labels.map((label, index) => {
    if (counts.get(label) === 1) return label;
    let own = `${label} (${index})`;
    while (taken.has(own)) own += ` (${index})`;
    taken.add(own);
    return own;
  });
}

function check<T extends z.ZodType>(schema: T, value: unknown, source: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ServeError("MODEL_INVALID", `${source} was not valid: ${z.prettifyError(result.error)}`, {
    cause: result.error,
  });
}

async function readJson(folder: string, name: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path.join(folder, name), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServeError("MODEL_INVALID", `${name} was not JSON: ${(cause as Error).message}`, { cause });
  }
}
