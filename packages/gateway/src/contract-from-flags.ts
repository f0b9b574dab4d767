/** A contract for models that bring none, and the flags' word over the one that a model brings. */
import { contractFromFiles, type ModelContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import { PreprocessMismatch } from "./preprocess-kernel.js";

/** `--preprocess FAMILY`: what `keras.applications.FAMILY.preprocess_input` computes. */
const KERAS_PRESETS: Readonly<Record<string, "tf" | "torch" | "caffe" | "none">> = {
  xception: "tf",
  inception_v3: "tf",
  inception_resnet_v2: "tf",
  mobilenet: "tf",
  mobilenet_v2: "tf",
  nasnet: "tf",
  resnet_v2: "tf",
  densenet: "torch",
  resnet: "caffe",
  resnet50: "caffe",
  vgg16: "caffe",
  vgg19: "caffe",
  convnext: "none",
  efficientnet: "none",
  efficientnet_v2: "none",
  mobilenet_v3: "none",
  none: "none",
};

export const PREPROCESS_FAMILIES: readonly string[] = Object.keys(KERAS_PRESETS);

export const RESAMPLE_NAMES = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

export type Resample = (typeof RESAMPLE_NAMES)[number];

/** Pillow's numbers of its filters, as `preprocessor_config.json` has them. */
export const RESAMPLE_NUMBERS: Readonly<Record<Resample, number>> = {
  nearest: 0,
  lanczos: 1,
  bilinear: 2,
  bicubic: 3,
  box: 4,
  hamming: 5,
};

/** The flags of `vitrine gateway` that speak about the contract; undefined: not given. */
export interface ContractFlags {
  readonly preprocess: string | undefined;
  readonly size: { readonly width: number; readonly height: number } | undefined;
  readonly resample: Resample | undefined;
  readonly orientation: "exif" | "ignore" | undefined;
  readonly labels: readonly string[] | undefined;
  readonly scoreKind: "logits" | "probabilities" | undefined;
}

/** The picture's input, as far as the signature tells. */
export interface SignatureInput {
  /** undefined: any. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
  /** Channels first, as PyTorch's exports have them. */
  readonly isNchw: boolean;
}

/**
 * The contract to work by: what the model brought, with every flag that was given in its place.
 *
 * `--preprocess` replaces all of the model's arithmetic and, unless `--resample` is given too, resizes with
 * NEAREST as the course's helper and Keras' `load_img` do.
 *
 * @param brought the model's own contract, or that of `--contract`.
 * @param input what the signature fixes: with a size `--size` may be left out.
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH that names the flags that are missing.
 */
export function contractWithFlags(
  brought: ModelContract | undefined,
  flags: ContractFlags,
  input: SignatureInput,
): ModelContract {
  if (brought !== undefined && Object.values(flags).every((flag) => flag === undefined)) return brought;
  if (brought === undefined) refuseMissing(flags, input.size);
  const size = flags.size ?? (brought === undefined ? input.size : undefined);
  const config = record(brought?.files.config);
  const preprocessor = flags.preprocess === undefined ? record(brought?.files.preprocessor) : {};
  return contractFromFiles(
    {
      ...config,
      ...(flags.labels === undefined ? {} : { id2label: Object.fromEntries(flags.labels.entries()) }),
      vitrine: {
        ...record(config.vitrine),
        ...(flags.scoreKind === undefined ? {} : { score_kind: flags.scoreKind }),
      },
    },
    {
      ...preprocessor,
      ...(flags.preprocess === undefined ? {} : { ...keptSize(brought), ...KERAS_STEPS }),
      ...(size === undefined ? {} : { size }),
      ...(flags.resample === undefined ? {} : { resample: RESAMPLE_NUMBERS[flags.resample] }),
      vitrine: {
        ...record(preprocessor.vitrine),
        ...presetOf(flags.preprocess),
        ...(flags.preprocess === undefined ? {} : { layout: input.isNchw ? "NCHW" : "NHWC" }),
        ...(flags.orientation === undefined ? {} : { orientation: flags.orientation }),
      },
    },
  );
}

/**
 * Runs `plan`; what it finds wrong with a key that a flag has set is told as the flag's: whoever gave `--preprocess
 * xception` has no `preprocessor_config.json` to look at.
 *
 * @throws {ServeError} what `plan` throws.
 */
export function inWordsOfFlags<T>(flags: ContractFlags, plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (!(error instanceof PreprocessMismatch)) throw error;
    const { preprocess, size } = flags;
    const { preset } = presetOf(preprocess);
    const { what, expected } = error;
    const presetWas = `vitrine.preset ${preset} was set`;
    const words =
      preset !== undefined && what.startsWith(presetWas)
        ? `--preprocess ${preprocess} was given${what.slice(presetWas.length)}`
        : size !== undefined && what.startsWith("size was ")
          ? `--${what}`
          : preprocess !== undefined
            ? `--preprocess ${preprocess} does not fit the model: ${what}`
            : undefined;
    if (words === undefined) throw error;
    throw new ServeError("MODEL_CONTRACT_MISMATCH", `${words}, expected ${expected}`, { cause: error });
  }
}

function refuseMissing(flags: ContractFlags, inputSize: unknown): void {
  const missing = [
    flags.preprocess === undefined ? "--preprocess" : undefined,
    flags.size === undefined && inputSize === undefined ? "--size" : undefined,
    flags.labels === undefined ? "--labels" : undefined,
  ].filter((flag) => flag !== undefined);
  if (missing.length === 0) return;
  throw new ServeError(
    "MODEL_CONTRACT_MISMATCH",
    `model had no contract and the gateway no ${missing.join(", ")}, expected either these or --contract DIR`,
  );
}

/** Keras' arithmetic is the preset alone: neither rescale nor normalize comes on top. */
const KERAS_STEPS = { resample: RESAMPLE_NUMBERS.nearest, do_rescale: false, do_normalize: false };

function presetOf(family: string | undefined): Record<string, unknown> {
  const preset = family === undefined ? "none" : KERAS_PRESETS[family];
  return preset === undefined || preset === "none" ? {} : { preset };
}

function keptSize(brought: ModelContract | undefined): Record<string, unknown> {
  const size = brought?.preprocessor.size;
  return size === undefined ? {} : { size };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
