/** Tensors of one photo under many configurations, what they share worked out once. */
import { decodePicture, hasColourProfile } from "@vitrine/gateway/pixels/decode";
import { createBaselineDecoder } from "@vitrine/gateway/pixels/jpeg-baseline";
import { padTensor, tensorOf } from "@vitrine/gateway/pixels/normalize";
import { turnUpright } from "@vitrine/gateway/pixels/orientation";
import { prepareRgb } from "@vitrine/gateway/pixels/prepare";
import { resize } from "@vitrine/gateway/pixels/resize";
import { createSimdResize } from "@vitrine/gateway/pixels/resize-simd";
import type { FloatPicture, RgbPicture } from "@vitrine/gateway/pixels/rgb-picture";
import { type PreprocessPlan, planPreprocessing } from "@vitrine/gateway/preprocess-plan";
import { contractFromFiles } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import { DataType } from "@vitrine/protocol/tensor";
import type { JsonObject } from "./config-patch.js";

export interface PhotoTensors {
  readonly width: number;
  readonly height: number;
  readonly format: string;
  readonly orientation: number;
  /** Whether a colour profile lies in the file. */
  readonly hasProfile: boolean;
  /** The plan of a configuration; undefined when it is none that fits a float input. */
  planOf(config: JsonObject): PreprocessPlan | undefined;
  /**
   * Pixels after resize and crop, before the arithmetic, red first.
   *
   * @returns undefined when the photo does not suit the plan.
   */
  pictureOf(plan: PreprocessPlan): Promise<FloatPicture | undefined>;
  /** After the arithmetic too, channels last. */
  samplesOf(plan: PreprocessPlan): Promise<FloatPicture | undefined>;
}

const ANY_CONFIG = { id2label: { 0: "any" } };
const FLOAT_INPUT = { dtype: DataType.DT_FLOAT, shape: undefined };
/** Of the pictures that are kept, float32 samples. */
const MAX_KEPT_SAMPLES = 16_000_000;

/** @throws {ServeError} when the photo cannot be decoded. */
export async function openPhoto(bytes: Uint8Array, maxPixels: number): Promise<PhotoTensors> {
  const resizeFast = createSimdResize() ?? resize;
  const stored = await decodePicture(bytes, maxPixels);
  const hasProfile = await hasColourProfile(bytes, maxPixels);
  const upright = new Map<string, Promise<RgbPicture>>();
  const pictures = new Map<string, FloatPicture | undefined>();
  let keptSamples = 0;

  const decode = async ({ icc, decoder, orientation }: PreprocessPlan): Promise<RgbPicture> => {
    // A decoder of its own: its pixels are overwritten when it is called again.
    const decodeBaseline = decoder === "tensorflow" ? createBaselineDecoder() : undefined;
    const { picture } =
      icc === "ignore" && decoder === "pillow"
        ? stored
        : await decodePicture(bytes, maxPixels, { decodeBaseline, decoder, icc });
    return orientation === "exif" ? turnUpright(picture, stored.orientation) : picture;
  };
  const make = async (plan: PreprocessPlan): Promise<FloatPicture | undefined> => {
    const key = JSON.stringify([plan.icc, plan.decoder, plan.orientation]);
    const source = upright.get(key) ?? decode(plan);
    upright.set(key, source);
    try {
      const { shape, data } = prepareRgb(
        await source,
        {
          ...plan,
          arithmetic: { kind: "pixels" },
          isBgr: false,
          pad: undefined,
          layout: "NHWC",
          dtype: DataType.DT_FLOAT,
        },
        resizeFast,
      );
      const pixels = data instanceof Float32Array ? data : Float32Array.from(data);
      return { width: shape[2] ?? 0, height: shape[1] ?? 0, pixels };
    } catch (error) {
      if (error instanceof ServeError) return undefined;
      throw error;
    }
  };
  const pictureOf = async (plan: PreprocessPlan): Promise<FloatPicture | undefined> => {
    const { icc, decoder, orientation, cropBefore, resize: rule, aspect, kernel, crop, cropRule } = plan;
    const key = JSON.stringify([icc, decoder, orientation, cropBefore, rule, aspect, kernel, crop, cropRule]);
    const known = pictures.get(key);
    if (known !== undefined) return known;
    const made = await make(plan);
    keptSamples += made?.pixels.length ?? 0;
    pictures.set(key, made);
    // The oldest goes first; which picture is asked for again is known only to the search.
    for (const [oldest, picture] of pictures) {
      if (keptSamples <= MAX_KEPT_SAMPLES) break;
      pictures.delete(oldest);
      keptSamples -= picture?.pixels.length ?? 0;
    }
    return made;
  };

  return {
    width: stored.picture.width,
    height: stored.picture.height,
    format: stored.format,
    orientation: stored.orientation,
    hasProfile,
    planOf(config) {
      try {
        return planPreprocessing(contractFromFiles(ANY_CONFIG, config).preprocessor, FLOAT_INPUT);
      } catch (error) {
        if (error instanceof ServeError) return undefined;
        throw error;
      }
    },
    pictureOf,
    async samplesOf(plan) {
      const picture = await pictureOf(plan);
      if (picture === undefined) return undefined;
      const made = tensorOf(picture, plan.arithmetic, plan.isBgr, "NHWC", DataType.DT_FLOAT);
      try {
        const { shape, data } = plan.pad === undefined ? made : padTensor(made, "NHWC", plan.pad);
        const pixels = data instanceof Float32Array ? data : Float32Array.from(data);
        return { width: shape[2] ?? 0, height: shape[1] ?? 0, pixels };
      } catch (error) {
        if (error instanceof ServeError) return undefined;
        throw error;
      }
    },
  };
}
