/**
 * Where the evidence lies, asked of a model that does not say: parts of the picture are hidden one by one, and how much
 * the label's probability falls says how much lay there (occlusion; Zeiler and Fergus, 2014). It needs no more than Predict.
 */
import { ServeError } from "@vitrine/protocol/status";
import type { FittedModel } from "../model-fit.js";
import type { PictureTensor } from "../pixels/normalize.js";
import type { CallContext, PredictionClient } from "../prediction-client.js";
import { type Heatmap, probabilitiesOfScores, scoresOfRows } from "../scores.js";
import { together } from "../together.js";
import { outputOf } from "../verdict.js";
import { sizeOfTensor } from "./input-picture.js";
import { evidenceOf, hiddenRows, type Patch, patchesOf } from "./patches.js";

export interface OcclusionQuestion {
  /** [1, …]; it is not changed. */
  readonly tensor: PictureTensor;
  readonly model: FittedModel;
  /** The version that answered for the whole picture; undefined: the server does not say. */
  readonly version: string | undefined;
  readonly labelIndex: number;
  /** Of that label, for the whole picture. */
  readonly probability: number;
  /** Cells in each direction; one prediction for each cell. */
  readonly grid: number;
  readonly context: CallContext;
}

export interface Occlusion extends Heatmap {
  /** How much the probability fell at most. */
  readonly drop: number;
}

/** Rows of one Predict. More gain nothing: see docs/http-api.md. */
const ROWS_PER_CALL = 8;

/** Bytes of one Predict: below the 4 MB that gRPC's own servers take unless told otherwise. */
const MOST_CALL_BYTES = 3_500_000;

/** Bytes of one picture's tensor above which so many copies of it would be no small favour any more. */
const MOST_TENSOR_BYTES = 16_000_000;

/** Calls under way at a time: one is computed while the next is on its way, and other requests keep their turn. */
const LANES = 2;

/** A fall of less than this, in probability, is no evidence: the map is flat. */
const LEAST_DROP = 0.005;

/**
 * How far the whole picture's probability may differ when it is asked among others. A model that is quantized by the
 * batch moves a little; one whose rows mix is asked row by row.
 */
const SAME_WITHIN = 0.02;

/**
 * Asks for each patch.
 *
 * @throws {ServeError} of the prediction client, when one call fails; the others are given up. MODEL_UNAVAILABLE when another
 *   version answers meanwhile; METHOD_UNIMPLEMENTED when the model's input is too large for it.
 */
export async function occlude(
  question: OcclusionQuestion,
  client: Pick<PredictionClient, "predict">,
): Promise<Occlusion> {
  const { tensor, model, grid, context } = question;
  const { byteLength } = tensor.data;
  if (byteLength > MOST_TENSOR_BYTES) {
    throw new ServeError(
      "METHOD_UNIMPLEMENTED",
      `the model's input was ${byteLength} bytes for this picture, expected at most ${MOST_TENSOR_BYTES} to be explained by occlusion`,
    );
  }
  const size = sizeOfTensor(tensor, model.plan.layout);
  const patches = patchesOf(grid, size);
  const ask = (rows: readonly (Patch | undefined)[], signal: AbortSignal) =>
    askRows(rows, signal, question, client);

  const first = await askFirst(patches, question, ask);
  const drops = first.drops;
  const rest = inCalls(patches, drops.length, first.rowsPerCall);
  const lanes = Array.from({ length: Math.min(LANES, rest.length) }, (_, lane) => lane);
  const waiting = rest.values();
  await together(lanes, context.signal, async (_lane, signal) => {
    // The lanes take turns at one iterator, so that none idles while another has calls left.
    for (const call of waiting) {
      const probabilities = await ask(call.patches, signal);
      for (const [index, each] of probabilities.entries()) drops[call.from + index] = first.whole - each;
    }
  });

  const drop = Math.max(0, ...drops);
  const isFlat = drop < LEAST_DROP;
  const values = isFlat ? drops.map(() => 0) : evidenceOf(drops, patches, grid, size);
  return { width: grid, height: grid, values, drop };
}

interface FirstAnswer {
  /** Of the whole picture, as the model answers it in such a call. */
  readonly whole: number;
  /** Of the patches asked for so far. */
  readonly drops: number[];
  readonly rowsPerCall: number;
}

type Ask = (rows: readonly (Patch | undefined)[], signal: AbortSignal) => Promise<number[]>;

/** Finds out whether the model takes several rows, and keeps them apart. */
async function askFirst(
  patches: readonly Patch[],
  question: OcclusionQuestion,
  ask: Ask,
): Promise<FirstAnswer> {
  const { probability, context } = question;
  const rowByRow = { whole: probability, drops: [], rowsPerCall: 1 };
  const rowsPerCall = rowsPerCallOf(question);
  if (rowsPerCall === 1) return rowByRow;
  try {
    const rows = [undefined, ...patches.slice(0, rowsPerCall - 1)];
    const [whole = Number.NaN, ...others] = await ask(rows, context.signal);
    if (!(Math.abs(whole - probability) <= SAME_WITHIN)) return rowByRow;
    return { whole, drops: others.map((each) => whole - each), rowsPerCall };
  } catch (error) {
    // Refused, failed inside the model, or answered in another shape: what a batch may do to a model made for one picture.
    if (error instanceof ServeError && error.code === "INTERNAL") return rowByRow;
    throw error;
  }
}

function rowsPerCallOf({ tensor, model }: OcclusionQuestion): number {
  const isOneRow = model.input.shape?.[0] === 1;
  return isOneRow
    ? 1
    : Math.max(1, Math.min(ROWS_PER_CALL, Math.floor(MOST_CALL_BYTES / tensor.data.byteLength)));
}

function inCalls(patches: readonly Patch[], from: number, rowsPerCall: number) {
  const calls: { readonly from: number; readonly patches: readonly Patch[] }[] = [];
  for (let at = from; at < patches.length; at += rowsPerCall) {
    calls.push({ from: at, patches: patches.slice(at, at + rowsPerCall) });
  }
  return calls;
}

/** The label's probability in each row; undefined is the whole picture. */
async function askRows(
  rows: readonly (Patch | undefined)[],
  signal: AbortSignal,
  { tensor, model, version, labelIndex, context }: OcclusionQuestion,
  client: Pick<PredictionClient, "predict">,
): Promise<number[]> {
  const { contract, plan, scoresOutput, input } = model;
  const batch = hiddenRows(tensor, plan.layout, rows);
  const prediction = await client.predict(input.alias, batch, [scoresOutput], { ...context, signal });
  if (prediction.version !== version) {
    throw new ServeError("MODEL_UNAVAILABLE", "model was being replaced, expected it to stay; try again", {
      retryAfterSeconds: 1,
    });
  }
  const scores = scoresOfRows(outputOf(prediction, scoresOutput), rows.length, contract.labels.length);
  return scores.map((each) => probabilitiesOfScores(each, contract)[labelIndex] ?? 0);
}
