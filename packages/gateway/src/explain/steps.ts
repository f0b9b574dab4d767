/** The steps of one photo, from its file to its probabilities, for those who learn and those who look for a fault. */
import { DataType } from "@vitrine/protocol/tensor";
import { byLabel } from "../answer.js";
import type { PredictResponse } from "../api.js";
import type { FittedModel } from "../model-fit.js";
import { type Preprocessed, uprightSize } from "../pixels/prepare.js";
import type { Verdict } from "../verdict.js";
import { inputArea } from "./input-area.js";
import { pictureOfTensor, pngUrlOf, rangesOfTensor, sizeOfTensor } from "./input-picture.js";

export interface StepsQuestion {
  readonly model: FittedModel;
  readonly verdict: Verdict;
  /** The deciding photo. */
  readonly prepared: Preprocessed;
  /** Of its file. */
  readonly bytes: number;
}

export async function stepsOf({
  model,
  verdict,
  prepared,
  bytes,
}: StepsQuestion): Promise<NonNullable<PredictResponse["steps"]>> {
  const { plan, input, contract } = model;
  const { tensor, storedSize, orientation, format } = prepared;
  const { decidingPhoto: photo, scores, photos } = verdict;
  const { picture, isExact } = pictureOfTensor(tensor, plan);
  return {
    photo,
    original: { format, bytes, ...storedSize, orientation },
    upright: { ...uprightSize(storedSize, orientation), used: plan.orientation === "exif" },
    input: {
      name: input.alias,
      dtype: tensor.dtype === DataType.DT_UINT8 ? "uint8" : "float32",
      layout: plan.layout,
      ...sizeOfTensor(tensor, plan.layout),
      area: inputArea(plan, prepared),
      channels: rangesOfTensor(tensor, plan),
      picture: await pngUrlOf(picture),
      picture_is_exact: isExact,
    },
    scores: byLabel(contract.labels, scores[photo] ?? new Float64Array(0)),
    temperature: contract.temperature,
    probabilities: byLabel(contract.labels, photos[photo] ?? new Float64Array(0)),
  };
}
