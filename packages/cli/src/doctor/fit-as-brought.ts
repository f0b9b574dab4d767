/** Whether model and contract fit each other, as a gateway without flags finds it. */
import { fitModel } from "@vitrine/gateway/model-fit";
import type { ModelDescription } from "@vitrine/gateway/prediction-client";
import { ServeError } from "@vitrine/protocol/status";

/** @returns the first disagreement, with both sides; undefined: they fit. */
export function whyNotFitting(description: ModelDescription): string | undefined {
  const flags = {
    preprocess: undefined,
    size: undefined,
    resample: undefined,
    orientation: undefined,
    labels: undefined,
    scoreKind: undefined,
  };
  try {
    fitModel(description, { folderContract: undefined, flags });
    return undefined;
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    return error.message;
  }
}
