/** Finds what training did otherwise: of all that the steps allow, what comes nearest to the recorded tensor. */
import type { PreprocessPlan } from "@vitrine/gateway/preprocess-plan";
import {
  type Alternative,
  AS_IT_IS,
  COLOUR_ORDERS,
  fittedScale,
  SCALES,
  STEPS,
  type Step,
} from "./alternatives.js";
import { type Choice, changesOf, configOf, UNCHANGED } from "./choice.js";
import { differenceOf, type JsonObject, patched } from "./config-patch.js";
import { describeStep } from "./describe-step.js";
import { type Distance, distanceOf, type Fitter, fitterTo } from "./distance.js";
import { searchGeometry } from "./geometry-search.js";
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

const NOTHING_OF_THAT_SIZE = {
  changes: [],
  remaining: { mean: Number.NaN, most: Number.NaN },
  isEqual: false,
  isExplained: false,
  set: {},
};

interface Tried {
  readonly choice: Choice;
  readonly remaining: Distance;
}

export async function findDifference(
  photo: PhotoTensors,
  config: JsonObject,
  recorded: RecordedTensor,
): Promise<Finding> {
  const ours = photo.planOf(config);
  if (ours === undefined) throw new Error("the contract's own configuration was checked before");
  const limit = TOLERANCE * recorded.range;
  const planOf = (choice: Choice): PreprocessPlan | undefined => photo.planOf(configOf(config, choice));
  const distanceWith = async (choice: Choice): Promise<Distance | undefined> => {
    const plan = planOf(choice);
    const picture = plan === undefined ? undefined : await photo.samplesOf(plan);
    return picture?.width === recorded.width && picture.height === recorded.height
      ? distanceOf(picture.pixels, recorded.samples)
      : undefined;
  };

  const layout = layoutChoice(ours, recorded);
  const start: Choice = { ...UNCHANGED, layout };
  const asItIs = await distanceWith(start);
  const distance = layout === AS_IT_IS ? asItIs : undefined;
  if (asItIs !== undefined && asItIs.most <= limit) return finish({ choice: start, remaining: asItIs });

  const fitter = fitterTo(recorded.samples);
  const geometry = await searchGeometry({ photo, recorded, fitter, ours, planOf }, start);
  const best = geometry === undefined ? undefined : await bestArithmetic(geometry, fitter);
  return best === undefined ? { distance, ...NOTHING_OF_THAT_SIZE } : finish(best);

  /** A named scale is a better answer than a fitted one; of those that are within the limit, the one with the fewest changes. */
  async function bestArithmetic(choice: Choice, fit: Fitter): Promise<Tried | undefined> {
    const fitted = await fittedScales(choice, fit);
    const scales = [AS_IT_IS, ...SCALES, ...fitted];
    const costOf = (one: Choice): number => changesOf(one) + (fitted.includes(one.scale) ? 0.5 : 0);
    const candidates = [AS_IT_IS, ...COLOUR_ORDERS]
      .flatMap((order) => scales.map((scale): Choice => ({ ...choice, "colour order": order, scale })))
      .sort((left, right) => costOf(left) - costOf(right));
    let nearest: (Tried & { readonly score: number }) | undefined;
    for (const candidate of candidates) {
      const remaining = await distanceWith(candidate);
      if (remaining === undefined) continue;
      if (remaining.most <= limit) return { choice: candidate, remaining };
      const score = remaining.mean + (fitted.includes(candidate.scale) ? limit : 0);
      if (nearest === undefined || score < nearest.score) nearest = { choice: candidate, remaining, score };
    }
    return nearest;
  }

  async function fittedScales(choice: Choice, fit: Fitter): Promise<Alternative[]> {
    const plan = planOf(choice);
    const picture = plan === undefined ? undefined : await photo.pictureOf(plan);
    if (picture === undefined) return [];
    const [straight, swapped] = fit(picture.pixels);
    // The mean and deviation count before the order is turned.
    const fits = [straight, { ...swapped, channels: [...swapped.channels].reverse() }];
    return fits.flatMap(({ residual, channels }) => (residual > 0.01 ? [] : (fittedScale(channels) ?? [])));
  }

  async function finish({ choice, remaining }: Tried): Promise<Finding> {
    const after = planOf(choice) ?? (ours as PreprocessPlan);
    const changes: Change[] = [];
    for (const step of STEPS) {
      const before = describeStep(step, ours as PreprocessPlan, photo.orientation);
      const now = describeStep(step, after, photo.orientation);
      if (choice[step] === AS_IT_IS || before === now) continue;
      const without = step === "layout" ? undefined : await distanceWith({ ...choice, [step]: AS_IT_IS });
      if (without !== undefined && without.most <= limit) continue;
      changes.push({ step, ours: before, recorded: now, without });
    }
    const isExplained = remaining.most <= limit;
    const isEqual = isExplained && changes.length === 0;
    const plan = JSON.stringify(after);
    const leads = (set: JsonObject): boolean => JSON.stringify(photo.planOf(patched(config, set))) === plan;
    const set = neededOf(differenceOf(config, configOf(config, choice)), leads);
    return { distance, changes, remaining, isEqual, isExplained, set };
  }
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
