/** What the page asks first: the model, the limits, and how a picture will be treated. */
import type { InfoResponse } from "./api.js";
import type { FittedModel } from "./model-fit.js";
import type { PictureFormat } from "./pixels/picture-header.js";
import { kernelName } from "./pixels/resize-kernel.js";
import { outputSize } from "./preprocess-plan.js";

export interface InfoLimits {
  readonly maxImageBytes: number;
  readonly maxImagePixels: number;
  readonly maxImages: number;
  readonly timeoutMs: number;
}

const MEDIA_TYPES: Readonly<Record<PictureFormat, string>> = {
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  bmp: "image/bmp",
  tiff: "image/tiff",
  avif: "image/avif",
};

/** A picture this many times as large as the model's input keeps its answer when an averaging filter made it. */
const SHRINK_MARGIN = 3;

export function infoOf(model: FittedModel, limits: InfoLimits): InfoResponse {
  const { description, contract } = model;
  const { kernel, orientation } = model.plan;
  const filter = kernelName(kernel);
  const size = pictureSize(model);
  const edge = Math.max(size?.width ?? 0, size?.height ?? 0);
  // NEAREST picks single pixels of the original, so any other original gives other pixels.
  const keepsAnswer = filter !== "nearest" && edge > 0;
  return {
    model: { name: description.name, version: description.version, signature: description.signatureName },
    contract: contract.digest,
    labels: [...contract.labels],
    score_kind: contract.scoreKind,
    threshold: contract.threshold ?? null,
    explain: model.activationMapOutput !== undefined,
    limits: {
      max_image_bytes: limits.maxImageBytes,
      max_image_pixels: limits.maxImagePixels,
      max_images: limits.maxImages,
      timeout_ms: limits.timeoutMs,
      media_types: Object.values(MEDIA_TYPES),
    },
    picture: {
      width: size?.width ?? null,
      height: size?.height ?? null,
      filter,
      orientation,
    },
    shrink: { keeps_answer: keepsAnswer, least_edge: keepsAnswer ? SHRINK_MARGIN * edge : null },
  };
}

/** Of the model's input; undefined when neither the contract nor the signature fixes it. */
function pictureSize({ plan, inputSize }: FittedModel): { width: number; height: number } | undefined {
  return outputSize(plan) ?? inputSize;
}
