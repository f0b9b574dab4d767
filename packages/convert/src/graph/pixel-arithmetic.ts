/**
 * What a model's contract does to the samples of a picture, as operators on float32 that give the gateway's values
 * to the bit (gateway/src/pixels/normalize.ts states the sources of the rules).
 */
import type { PreprocessorConfig } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";

export interface PixelStep {
  readonly op: "Mul" | "Div" | "Sub";
  /** One for all channels or one per channel, in the order of the model's channels. */
  readonly values: readonly number[];
  /** The operator works in float64 and its result is rounded once. */
  readonly isDouble: boolean;
}

export interface PixelArithmetic {
  /** The model takes blue, green, red. */
  readonly isBgr: boolean;
  readonly steps: readonly PixelStep[];
}

const { fround } = Math;

const TORCH_MEAN = [0.485, 0.456, 0.406];
const TORCH_STD = [0.229, 0.224, 0.225];
/** Of blue, green, red. */
const CAFFE_MEAN = [103.939, 116.779, 123.68];

/**
 * Derives the operators from the contract.
 *
 * @throws {ServeError} MODEL_UNSUPPORTED when pixels of 8 bits cannot carry what the contract asks for.
 */
export function pixelArithmetic(config: PreprocessorConfig): PixelArithmetic {
  if (config.do_pad) {
    throw unsupported("do_pad adds zeros after the arithmetic", "a contract without padding");
  }
  if (config.vitrine.resize?.library === "tensorflow" && config.vitrine.resize.method !== "nearest") {
    throw unsupported("vitrine.resize gives fractions", "a resize that gives whole samples");
  }
  const { preset } = config.vitrine;
  if (preset === "caffe") return { isBgr: true, steps: [step("Sub", CAFFE_MEAN)] };
  const steps = (preset === undefined ? rescaleAndNormalize(config) : kerasSteps(preset)).filter(changes);
  if (!config.do_flip_channel_order) return { isBgr: false, steps };
  return { isBgr: true, steps: steps.map((one) => ({ ...one, values: one.values.toReversed() })) };
}

function kerasSteps(preset: "tf" | "torch"): PixelStep[] {
  if (preset === "tf") return [step("Div", [127.5]), step("Sub", [1])];
  return [step("Div", [255]), step("Sub", TORCH_MEAN), step("Div", TORCH_STD)];
}

function rescaleAndNormalize(config: PreprocessorConfig): PixelStep[] {
  const { do_rescale, do_normalize, rescale_factor, rescale_offset, include_top } = config;
  const mean = do_normalize ? three(config.image_mean, "image_mean") : [0];
  const std = do_normalize ? three(config.image_std, "image_std") : [1];
  const again = include_top && do_normalize ? std : [1];
  const backend = backendOf(config);
  const isOffset = do_rescale && rescale_offset;
  if (backend === "torchvision" && do_rescale && do_normalize && !isOffset) {
    const whole = fround(1 / rescale_factor);
    const large = (values: readonly number[]) => values.map((value) => fround(fround(value) * whole));
    return [step("Sub", large(mean)), step("Div", large(std)), step("Div", again)];
  }
  const rescale = do_rescale ? [rescaleStep(backend, rescale_factor)] : [];
  const offset = isOffset ? [step("Sub", [1])] : [];
  return [...rescale, ...offset, step("Sub", mean), step("Div", std), step("Div", again)];
}

type Backend = "pillow" | "torchvision" | "transforms";

function backendOf(config: PreprocessorConfig): Backend {
  const type = config.image_processor_type ?? config.feature_extractor_type ?? "";
  return config.vitrine.backend ?? (type.endsWith("Fast") ? "torchvision" : "pillow");
}

/** NumPy multiplies in float64; where float32 gives the same for all 256 samples it does as well. */
function rescaleStep(backend: Backend, factor: number): PixelStep {
  if (backend === "transforms") return step("Div", [255]);
  const product = step("Mul", [factor]);
  if (backend === "torchvision") return product;
  const exact = (sample: number) => fround(sample * factor);
  if (isForAllSamples((sample) => fround(sample * fround(factor)) === exact(sample))) return product;
  const quotient = fround(1 / factor);
  if (isForAllSamples((sample) => fround(sample / quotient) === exact(sample)))
    return step("Div", [quotient]);
  return { ...product, isDouble: true };
}

function isForAllSamples(holds: (sample: number) => boolean): boolean {
  for (let sample = 0; sample < 256; sample++) if (!holds(sample)) return false;
  return true;
}

function step(op: PixelStep["op"], values: readonly number[]): PixelStep {
  return { op, values, isDouble: false };
}

function changes({ op, values }: PixelStep): boolean {
  const nothing = op === "Sub" ? 0 : 1;
  return values.some((value) => value !== nothing);
}

function three(value: number | readonly number[] | undefined, key: string): readonly number[] {
  if (value === undefined) throw unsupported(`${key} was missing`, "it, because do_normalize is true");
  return typeof value === "number" ? [value, value, value] : value;
}

function unsupported(was: string, expected: string): ServeError {
  return new ServeError(
    "MODEL_UNSUPPORTED",
    `preprocessor_config.json: ${was}, expected ${expected} for a uint8 input`,
  );
}
