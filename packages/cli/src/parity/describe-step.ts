/** What a plan does in a step, in words. */
import type { PreprocessPlan } from "@vitrine/gateway/preprocess-plan";
import type { Step } from "./alternatives.js";

/** @param photoOrientation EXIF's number of the photo. */
export function describeStep(step: Step, plan: PreprocessPlan, photoOrientation: number): string {
  switch (step) {
    case "decode":
      return `${plan.decoder === "tensorflow" ? "TensorFlow" : "Pillow"}, colour profile ${plan.icc === "srgb" ? "applied" : "ignored"}`;
    case "orientation":
      return plan.orientation === "exif" ? `turned as EXIF says (${photoOrientation})` : "as stored";
    case "size and crop":
      return describeSize(plan);
    case "resize filter":
      return describeKernel(plan);
    case "colour order":
      return plan.isBgr || isCaffe(plan) ? "blue first" : "red first";
    case "scale":
      return describeScale(plan);
    case "layout":
      return plan.layout;
  }
}

function isCaffe({ arithmetic }: PreprocessPlan): boolean {
  return arithmetic.kind === "keras" && arithmetic.preset === "caffe";
}

function describeSize({ resize, aspect, crop, cropBefore }: PreprocessPlan): string {
  const parts: string[] = [];
  if (cropBefore !== undefined) parts.push("middle cut out first");
  if (resize === undefined) parts.push("not resized");
  else if ("width" in resize) {
    const how = {
      stretch: "stretched to",
      crop: "middle of the same proportions resized to",
      pad: "fitted with black around into",
    };
    parts.push(`${how[aspect]} ${resize.width}x${resize.height}`);
  } else if ("shortestEdge" in resize) parts.push(`shortest edge to ${resize.shortestEdge}`);
  else if ("longestEdge" in resize) parts.push(`longest edge to ${resize.longestEdge}`);
  else parts.push(`fitted into ${resize.maxWidth}x${resize.maxHeight}`);
  if (crop !== undefined) parts.push(`middle ${crop.width}x${crop.height} cut out`);
  return parts.join(", ");
}

function describeKernel({ kernel }: PreprocessPlan): string {
  switch (kernel.library) {
    case "pillow":
      return `Pillow ${kernel.filter}${kernel.isRowsFirst === true ? ", version 12 or older" : ""}${kernel.reducingGap === undefined ? "" : `, reducing_gap ${kernel.reducingGap}`}`;
    case "torchvision":
      return `torchvision ${kernel.filter} of a uint8 tensor`;
    case "tensorflow":
      return `tf.image.resize ${kernel.method}${kernel.antialias ? " with antialias" : ""}`;
    case "opencv":
      return `cv2.resize ${kernel.method}`;
  }
}

function describeScale({ arithmetic }: PreprocessPlan): string {
  if (arithmetic.kind === "pixels") return "0 to 255";
  if (arithmetic.kind === "keras") return `Keras preset ${arithmetic.preset}`;
  const { factor, normalize } = arithmetic;
  const times = factor === undefined ? "0 to 255" : `times ${Number(factor.toPrecision(6))}`;
  return normalize === undefined
    ? times
    : `${times}, mean ${normalize.mean.join(", ")}, deviation ${normalize.std.join(", ")}`;
}
