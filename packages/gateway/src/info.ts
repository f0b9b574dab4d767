/** What the page asks first: the model, the limits, and how a picture will be treated. */
import type { InfoResponse } from "./api.js";
import { greatestGrid } from "./explain/explain.js";
import type { FittedModel } from "./model-fit.js";
import type { PictureFormat } from "./pixels/picture-header.js";
import { isAveraging, kernelName } from "./pixels/resize-kernel.js";
import { outputSize } from "./preprocess-plan.js";

export interface InfoLimits {
  readonly maxImageBytes: number;
  readonly maxImagePixels: number;
  readonly maxImages: number;
  readonly timeoutMs: number;
  /** Most predictions that one heat map may cost; 0: none is made by occlusion. */
  readonly explainOcclusion: number;
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

/** So many times the size that the resize makes leaves it enough to average over. */
const SHRINK_MARGIN = 3;

/** @param feedback undefined: corrections are not kept. */
export function infoOf(
  model: FittedModel,
  limits: InfoLimits,
  feedback: { readonly keepDays: number } | undefined,
): InfoResponse {
  const { description, contract } = model;
  const { kernel, orientation, decoder } = model.plan;
  const filter = kernelName(kernel);
  const size = pictureSize(model);
  const leastEdge = leastEdgeOf(model.plan);
  const explainBy =
    model.activationMapOutput !== undefined ? "activation" : limits.explainOcclusion > 0 ? "occlusion" : null;
  return {
    model: { name: description.name, version: description.version, signature: description.signatureName },
    contract: contract.digest,
    labels: [...contract.labels],
    score_kind: contract.scoreKind,
    threshold: contract.threshold ?? null,
    explain: explainBy !== null,
    explain_by: explainBy,
    limits: {
      max_image_bytes: limits.maxImageBytes,
      max_image_pixels: limits.maxImagePixels,
      max_images: limits.maxImages,
      max_explain_grid: greatestGrid(limits.explainOcclusion),
      timeout_ms: limits.timeoutMs,
      media_types: Object.values(MEDIA_TYPES),
    },
    picture: {
      width: size?.width ?? null,
      height: size?.height ?? null,
      filter,
      decoder,
      orientation,
    },
    shrink: { keeps_answer: leastEdge !== undefined, least_edge: leastEdge ?? null },
    feedback: { enabled: feedback !== undefined, keep_days: feedback?.keepDays ?? null },
  };
}

/**
 * Shorter edge from which on a shrunk picture's tensor is nearly that of the original; undefined when it never is: the resize
 * picks single pixels, or counts in pixels of the original (none, a box, Perceiver's crop is in shares).
 */
function leastEdgeOf({ resize, kernel }: FittedModel["plan"]): number | undefined {
  const isBoxed = kernel.library === "pillow" && kernel.box !== undefined;
  if (resize === undefined || isBoxed || !isAveraging(kernel)) return undefined;
  if ("width" in resize) return SHRINK_MARGIN * Math.max(resize.width, resize.height);
  if ("maxWidth" in resize) return SHRINK_MARGIN * Math.max(resize.maxWidth, resize.maxHeight);
  return SHRINK_MARGIN * ("shortestEdge" in resize ? resize.shortestEdge : resize.longestEdge);
}

/** Of the model's input; undefined when neither the contract nor the signature fixes it. */
function pictureSize({ plan, inputSize }: FittedModel): { width: number; height: number } | undefined {
  return outputSize(plan) ?? inputSize;
}
