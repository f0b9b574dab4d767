/** Finds what training did otherwise: of all that the steps allow, what comes nearest to the recorded tensor. */
import type { PreprocessPlan } from "@vitrine/gateway/preprocess-plan";
import {
  type Alternative,
  AS_IT_IS,
  COLOUR_ORDERS,
  DECODERS,
  fittedScale,
  kernels,
  ORIENTATIONS,
  PROFILES,
  SCALES,
  STEPS,
  type Step,
  sizesTo,
} from "./alternatives.js";
import { differenceOf, type JsonObject, patched } from "./config-patch.js";
import { type Distance, distanceOf, fitOf } from "./distance.js";
import type { PhotoTensors } from "./photo-tensors.js";
import type { RecordedTensor } from "./recorded-tensor.js";

export interface Change {
  readonly step: Step;
  readonly ours: string;
  readonly recorded: string;
  /** Between the tensors when all other changes are made and this one is not; undefined: their sizes differ. */
  readonly without: Distance | undefined;
}

export interface Finding {
  /** Of the contract as it is; undefined: the sizes differ. */
  readonly distance: Distance | undefined;
  /** In the order of the steps; empty when the tensors are equal as they are. */
  readonly changes: readonly Change[];
  /** After all changes. */
  readonly remaining: Distance;
  readonly isEqual: boolean;
  readonly isExplained: boolean;
  /** What to set in preprocessor_config.json; null removes. */
  readonly set: JsonObject;
}

/** Two tensors are equal when no value differs by more than this part of the recorded range: float32's rounding, a hundredth of a pixel's step. */
export const TOLERANCE = 2e-5;
/** Fits that are this close are one: what is left is rounding. */
const SAME_RESIDUAL = 1e-9;
const KEPT_GEOMETRIES = 6;

type Choice = Readonly<Record<Step, Alternative>>;

const UNCHANGED: Choice = {
  decode: AS_IT_IS,
  orientation: AS_IT_IS,
  "size and crop": AS_IT_IS,
  "resize filter": AS_IT_IS,
  "colour order": AS_IT_IS,
  scale: AS_IT_IS,
  layout: AS_IT_IS,
};

interface Ranked {
  readonly choice: Choice;
  readonly score: number;
}

export async function findDifference(
  photo: PhotoTensors,
  config: JsonObject,
  recorded: RecordedTensor,
): Promise<Finding> {
  const ours = photo.planOf(config);
  if (ours === undefined) throw new Error("the contract's own configuration was checked before");
  const limit = TOLERANCE * recorded.range;
  const configOf = (choice: Choice): JsonObject =>
    STEPS.reduce((sum: JsonObject, step) => patched(sum, choice[step].patch), config);
  const planOf = (choice: Choice): PreprocessPlan | undefined => photo.planOf(configOf(choice));
  const isSize = (picture: { width: number; height: number } | undefined): boolean =>
    picture?.width === recorded.width && picture.height === recorded.height;

  /** By how much the fitted pixels of a choice miss; undefined when their size is another. */
  const residualOf = async (choice: Choice, isBgr: boolean): Promise<number | undefined> => {
    const plan = planOf(choice);
    const picture = plan === undefined ? undefined : await photo.pictureOf(plan);
    return picture === undefined || !isSize(picture)
      ? undefined
      : fitOf(picture.pixels, recorded.samples, isBgr).residual;
  };
  const distanceWith = async (choice: Choice): Promise<Distance | undefined> => {
    const plan = planOf(choice);
    const picture = plan === undefined ? undefined : await photo.samplesOf(plan);
    return picture === undefined || !isSize(picture)
      ? undefined
      : distanceOf(picture.pixels, recorded.samples);
  };

  const layout = layoutChoice(ours, recorded);
  const start: Choice = { ...UNCHANGED, layout };
  const asItIs = await distanceWith(start);
  const distance = layout === AS_IT_IS ? asItIs : undefined;
  if (asItIs !== undefined && asItIs.most <= limit) {
    return finish(start, asItIs);
  }

  const rank = async (choices: readonly Choice[]): Promise<Ranked[]> => {
    const ranked: Ranked[] = [];
    for (const choice of choices) {
      for (const isBgr of [false, true]) {
        const score = await residualOf(choice, isBgr);
        if (score !== undefined) ranked.push({ choice, score });
      }
    }
    return ranked.sort((a, b) => a.score - b.score);
  };
  const sizes = [AS_IT_IS, ...sizesTo(recorded.width, recorded.height)];
  const allKernels = [AS_IT_IS, ...kernels(ours)];
  const roughKernels = allKernels.filter(
    ({ label }) =>
      label === "" ||
      label === "Pillow bilinear" ||
      label === "Pillow nearest" ||
      label === "tf.image.resize bilinear",
  );
  const decodings = [
    AS_IT_IS,
    ...(photo.hasProfile ? PROFILES : []),
    ...(photo.format === "jpeg" ? DECODERS : []),
  ];
  const geometries = decodings.flatMap((decode) =>
    [AS_IT_IS, ...(photo.orientation === 1 ? [] : ORIENTATIONS)].flatMap((orientation) =>
      sizes.map((size): Choice => ({ ...start, decode, orientation, "size and crop": size })),
    ),
  );
  const rough = await rank(
    distinct(geometries).flatMap((choice) =>
      roughKernels.map((kernel) => ({ ...choice, "resize filter": kernel })),
    ),
  );
  const nearest = firstOf(
    rough.map(({ choice }) => ({ ...choice, "resize filter": AS_IT_IS })),
    KEPT_GEOMETRIES,
  );
  const fine = await rank(
    nearest.flatMap((choice) => allKernels.map((kernel) => ({ ...choice, "resize filter": kernel }))),
  );
  const [best] = fine;
  if (best === undefined) {
    return {
      distance,
      changes: [],
      remaining: { mean: Number.NaN, most: Number.NaN },
      isEqual: false,
      isExplained: false,
      set: {},
    };
  }
  const equallyGood = fine.filter(({ score }) => score <= best.score + SAME_RESIDUAL);
  const geometry = fewestChanges(equallyGood.map(({ choice }) => choice));
  const { choice, remaining } = await bestArithmetic(geometry);
  return finish(choice, remaining);

  /** The same plans under different names count once; the one with fewer changes stands for them. */
  function distinct(choices: readonly Choice[]): Choice[] {
    const seen = new Map<string, Choice>();
    for (const candidate of [...choices].sort((a, b) => changesOf(a) - changesOf(b))) {
      const key = JSON.stringify(planOf(candidate));
      if (key !== undefined && !seen.has(key)) seen.set(key, candidate);
    }
    return [...seen.values()];
  }

  async function bestArithmetic(geometryChoice: Choice): Promise<{ choice: Choice; remaining: Distance }> {
    const fitted = await fittedScales(geometryChoice);
    const tried: { choice: Choice; remaining: Distance }[] = [];
    for (const order of [AS_IT_IS, ...COLOUR_ORDERS]) {
      for (const scale of [AS_IT_IS, ...SCALES, ...fitted]) {
        const candidate: Choice = { ...geometryChoice, "colour order": order, scale };
        const remainingDistance = await distanceWith(candidate);
        if (remainingDistance !== undefined) tried.push({ choice: candidate, remaining: remainingDistance });
      }
    }
    const within = tried.filter(({ remaining: { most } }) => most <= limit);
    // A named scale is a better answer than a fitted one; of those that are within, the fewest changes.
    const pool = within.length > 0 ? within : tried;
    const key = (one: { choice: Choice; remaining: Distance }): number =>
      within.length > 0
        ? changesOf(one.choice) + (fitted.includes(one.choice.scale) ? 0.5 : 0)
        : one.remaining.mean + (fitted.includes(one.choice.scale) ? limit : 0);
    return pool.reduce((left, right) => (key(right) < key(left) ? right : left));
  }

  async function fittedScales(choice_: Choice): Promise<Alternative[]> {
    const plan = planOf(choice_);
    const picture = plan === undefined ? undefined : await photo.pictureOf(plan);
    if (picture === undefined) return [];
    return [false, true].flatMap((isBgr) => {
      const fit = fitOf(picture.pixels, recorded.samples, isBgr);
      // The mean and deviation count before the order is turned.
      const channels = isBgr ? [...fit.channels].reverse() : fit.channels;
      return fit.residual > 0.01 ? [] : (fittedScale(channels) ?? []);
    });
  }

  async function finish(chosen: Choice, remaining: Distance): Promise<Finding> {
    const after = planOf(chosen) ?? ours;
    const changes: Change[] = [];
    for (const step of STEPS) {
      const [before, now] = [
        describe(step, ours as PreprocessPlan, photo),
        describe(step, after as PreprocessPlan, photo),
      ];
      if (chosen[step] === AS_IT_IS || before === now) continue;
      const without = step === "layout" ? undefined : await distanceWith({ ...chosen, [step]: AS_IT_IS });
      if (without !== undefined && without.most <= limit) continue;
      changes.push({ step, ours: before, recorded: now, without });
    }
    const isExplained = remaining.most <= limit;
    const isEqual = isExplained && changes.length === 0;
    const plan = JSON.stringify(after);
    const leads = (set: JsonObject): boolean => JSON.stringify(photo.planOf(patched(config, set))) === plan;
    const set = neededOf(differenceOf(config, configOf(chosen)), leads);
    return { distance, changes, remaining, isEqual, isExplained, set };
  }
}

function changesOf(choice: Choice): number {
  return STEPS.filter((step) => choice[step] !== AS_IT_IS).length;
}

function fewestChanges(choices: readonly Choice[]): Choice {
  return choices.reduce((left, right) => (changesOf(right) < changesOf(left) ? right : left));
}

function firstOf(choices: readonly Choice[], count: number): Choice[] {
  const seen = new Map<string, Choice>();
  for (const choice of choices) {
    const key = JSON.stringify(choice);
    if (!seen.has(key) && seen.size < count) seen.set(key, choice);
  }
  return [...seen.values()];
}

/** The keys without which a difference does not lead to the plan any more. */
function neededOf(difference: JsonObject, leads: (set: JsonObject) => boolean): JsonObject {
  let needed = difference;
  for (const key of Object.keys(difference)) {
    const { [key]: _, ...others } = needed;
    if (leads(others)) needed = others;
  }
  return needed;
}

function layoutChoice(plan: PreprocessPlan, { layout }: RecordedTensor): Alternative {
  if (plan.layout === layout) return AS_IT_IS;
  return { label: layout, patch: { vitrine: { layout: layout === "NHWC" ? null : layout } } };
}

/** What a plan does in a step, in words. */
function describe(step: Step, plan: PreprocessPlan, photo: PhotoTensors): string {
  switch (step) {
    case "decode":
      return `${plan.decoder === "tensorflow" ? "TensorFlow" : "Pillow"}, colour profile ${plan.icc === "srgb" ? "applied" : "ignored"}`;
    case "orientation":
      return plan.orientation === "exif" ? `turned as EXIF says (${photo.orientation})` : "as stored";
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
