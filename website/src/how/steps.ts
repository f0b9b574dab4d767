/** The steps of a photo as the gateway tells them, and the time of each hop. */
import type { PredictResponse } from "@vitrine/gateway/api";
import { isRecord } from "../gateway/answers.js";

export type Steps = NonNullable<PredictResponse["steps"]>;

type Timings = PredictResponse["timings"];

/** What the panel shows of an answer. */
export interface Told {
  readonly steps: Steps;
  readonly model: PredictResponse["model"];
  readonly contract: string;
  readonly timings: Timings;
}

const HOPS = ["network", "fetch", "decode", "resize", "predict", "explain", "rest"] as const;

export type Hop = (typeof HOPS)[number];

/**
 * Milliseconds of each hop that took part, in their order. `network` is what passed here beside the gateway's total: the way
 * there and back, the upload, and whatever stood between. `rest` is what the gateway's own stages leave over. Of several photos,
 * stages that ran side by side add up to more than the total; there is no rest then.
 */
export function hopsOf(
  { total, ...stages }: Timings,
  durationMs: number,
): readonly (readonly [Hop, number])[] {
  const known = Object.values(stages).reduce<number>((sum, ms) => sum + (ms ?? 0), 0);
  const all: { readonly [Name in Hop]?: number | undefined } = {
    network: Math.max(0, durationMs - total),
    ...stages,
    rest: Math.max(0, total - known),
  };
  return HOPS.flatMap((hop) => {
    const ms = all[hop];
    return ms === undefined ? [] : [[hop, ms] as const];
  });
}

/** Labels with a value each, the most probable first, at most `most`. */
export function bestOf(steps: Steps, most: number): readonly string[] {
  return Object.entries(steps.probabilities)
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([label]) => label);
}

// The schemas of the gateway need zod, which weighs as much as this whole page. This checks what the panel reads.

export function readTold(json: unknown): Told | undefined {
  if (!isRecord(json)) return undefined;
  const { steps, model, contract, timings } = json;
  return isSteps(steps) && isModel(model) && typeof contract === "string" && isTimings(timings)
    ? { steps, model, contract, timings }
    : undefined;
}

const isNumber = (value: unknown): value is number => typeof value === "number";

function isSteps(value: unknown): value is Steps {
  if (!isRecord(value)) return false;
  const { photo, original, upright, input, scores, temperature, probabilities } = value;
  return (
    [photo, temperature].every(isNumber) &&
    isRecord(original) &&
    [original.bytes, original.width, original.height, original.orientation].every(isNumber) &&
    typeof original.format === "string" &&
    isRecord(upright) &&
    [upright.width, upright.height].every(isNumber) &&
    isInput(input) &&
    isNumbers(scores) &&
    isNumbers(probabilities)
  );
}

function isInput(value: unknown): boolean {
  return (
    isRecord(value) &&
    [value.width, value.height].every(isNumber) &&
    [value.dtype, value.layout, value.name, value.picture].every((each) => typeof each === "string") &&
    Array.isArray(value.channels) &&
    value.channels.every((each) => isRecord(each) && [each.min, each.max, each.mean].every(isNumber))
  );
}

function isNumbers(value: unknown): value is Record<string, number> {
  return isRecord(value) && Object.values(value).every(isNumber);
}

function isModel(value: unknown): value is Told["model"] {
  return isRecord(value) && typeof value.name === "string" && typeof value.version === "string";
}

function isTimings(value: unknown): value is Timings {
  return isRecord(value) && isNumber(value.total) && Object.values(value).every(isNumber);
}
