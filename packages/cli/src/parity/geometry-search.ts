/** Finds how the pixels were made (decode, orientation, size and crop, resize), whatever arithmetic came after them. */
import type { PreprocessPlan } from "@vitrine/gateway/preprocess-plan";
import {
  type Alternative,
  AS_IT_IS,
  DECODERS,
  kernels,
  ORIENTATIONS,
  PROFILES,
  sizesTo,
} from "./alternatives.js";
import { type Choice, changesOf, fewestFirst } from "./choice.js";
import type { Fitter } from "./distance.js";
import type { PhotoTensors } from "./photo-tensors.js";
import type { RecordedTensor } from "./recorded-tensor.js";

/**
 * Pixels that miss by no more are the recorded ones, but for the rounding of the arithmetic that followed. One sample that is
 * one step of 255 off misses by more in pictures of up to eight megapixels.
 */
const EXACT_RESIDUAL = 1e-11;
/** Fits that are this close are one: what is left is rounding. */
const SAME_RESIDUAL = 1e-9;
/** Geometries under which every filter is tried. */
const KEPT_GEOMETRIES = 3;
/** Pixels for which every decoder is tried: filters are nearer to each other than decoders are. */
const KEPT_BEFORE_DECODE = 10;

/** Filters by which a geometry is recognised: one that picks, one that averages, TensorFlow's. */
const ROUGH_KERNELS = ["Pillow nearest", "Pillow bilinear", "tf.image.resize bilinear"];

interface Scored {
  readonly choice: Choice;
  /** What the straight-line fit to the recorded tensor leaves, in the better order of colours. */
  readonly residual: number;
}

export interface GeometrySearch {
  readonly photo: PhotoTensors;
  readonly recorded: RecordedTensor;
  readonly fitter: Fitter;
  /** Of the contract as it is. */
  readonly ours: PreprocessPlan;
  planOf(choice: Choice): PreprocessPlan | undefined;
}

/**
 * Goes from what is most likely to what is least and ends at the first exact match, so that a usual fault costs little:
 * orientation and size by three filters, then decoders, then every filter under the nearest geometries, then decoders of those.
 *
 * @returns the choice that comes nearest, with the fewest changes of those that come equally near; undefined when nothing
 *   that was tried has the recorded size.
 */
export async function searchGeometry(search: GeometrySearch, start: Choice): Promise<Choice | undefined> {
  const { photo, recorded } = search;
  const scored = new Map<string, Scored>();

  /** @returns the first choice that is exact. */
  const tryEach = async (choices: readonly Choice[]): Promise<Choice | undefined> => {
    for (const choice of fewestFirst(choices)) {
      const plan = search.planOf(choice);
      const key = JSON.stringify(plan);
      // The same plan under another name, one with no fewer changes.
      if (plan === undefined || scored.has(key)) continue;
      const picture = await photo.pictureOf(plan);
      if (picture?.width !== recorded.width || picture.height !== recorded.height) continue;
      const residual = Math.min(...search.fitter(picture.pixels).map((fit) => fit.residual));
      scored.set(key, { choice, residual });
      if (residual <= EXACT_RESIDUAL) return choice;
    }
    return undefined;
  };
  const nearest = (): Scored[] => [...scored.values()].sort((a, b) => a.residual - b.residual);

  const orientations = [AS_IT_IS, ...(photo.orientation === 1 ? [] : ORIENTATIONS)];
  const sizes = [AS_IT_IS, ...sizesTo(recorded.width, recorded.height)];
  const filters = [AS_IT_IS, ...kernels(search.ours)];
  const rough = filters.filter(({ label }) => label === "" || ROUGH_KERNELS.includes(label));
  const decodings = [...(photo.hasProfile ? PROFILES : []), ...(photo.format === "jpeg" ? DECODERS : [])];
  const eachOf = (
    choices: readonly Choice[],
    step: keyof Choice,
    alternatives: readonly Alternative[],
  ): Choice[] => choices.flatMap((choice) => alternatives.map((one) => ({ ...choice, [step]: one })));
  const geometries = eachOf(eachOf([start], "orientation", orientations), "size and crop", sizes);

  const stages: (() => Choice[])[] = [
    () => eachOf(geometries, "resize filter", rough),
    () => eachOf(firstChoices(nearest(), KEPT_GEOMETRIES), "decode", decodings),
    () => eachOf(geometriesOf(nearest()), "resize filter", filters),
    () => eachOf(firstChoices(nearest(), KEPT_BEFORE_DECODE), "decode", decodings),
  ];
  for (const stage of stages) {
    const exact = await tryEach(stage());
    if (exact !== undefined) return exact;
  }
  const [best] = nearest();
  if (best === undefined) return undefined;
  return nearest()
    .filter(({ residual }) => residual <= best.residual + SAME_RESIDUAL)
    .map(({ choice }) => choice)
    .reduce((left, right) => (changesOf(right) < changesOf(left) ? right : left));
}

function firstChoices(scored: readonly Scored[], count: number): Choice[] {
  return scored.slice(0, count).map(({ choice }) => choice);
}

/** The nearest choices without their filters, each orientation and size once, with the decoder that came nearest. */
function geometriesOf(scored: readonly Scored[]): Choice[] {
  const seen = new Map<string, Choice>();
  for (const { choice } of scored) {
    const key = JSON.stringify([choice.orientation.label, choice["size and crop"].label]);
    if (!seen.has(key)) seen.set(key, { ...choice, "resize filter": AS_IT_IS });
    if (seen.size === KEPT_GEOMETRIES) break;
  }
  return [...seen.values()];
}
