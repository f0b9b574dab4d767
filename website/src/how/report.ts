/** The steps as plain text, for a mail to support. Names as the API has them: who reads it may speak another language. */
import { hopsOf, type Told } from "./steps.js";

export interface Circumstances {
  readonly requestId: string;
  /** Between sending and the last byte of the answer, measured in the browser. */
  readonly durationMs: number;
  /** Of the answer. */
  readonly at: Date;
}

export function reportOf({ steps, model, contract, timings }: Told, around: Circumstances): string {
  const { original, upright, input, temperature } = steps;
  const labels = Object.entries(steps.probabilities)
    .sort(([, a], [, b]) => b - a)
    .map(
      ([label, probability]) =>
        `${label}: ${probability.toFixed(4)} (score ${(steps.scores[label] ?? 0).toFixed(4)})`,
    );
  const ms = hopsOf(timings, around.durationMs).map(([hop, value]) => `${hop} ${value.toFixed(1)}`);
  return [
    `request: ${around.requestId}`,
    `time: ${around.at.toISOString()}`,
    `model: ${model.name}, version ${model.version}`,
    `contract: ${contract}`,
    `photo ${steps.photo + 1}: ${original.format}, ${original.width}x${original.height}, ${original.bytes} bytes, EXIF orientation ${original.orientation}`,
    `upright: ${upright.width}x${upright.height}${upright.used ? "" : " (not used: the contract ignores EXIF)"}`,
    `input: ${input.name}, ${input.dtype} ${input.layout} ${input.width}x${input.height}`,
    ...input.channels.map(
      ({ colour, min, max, mean }) => `  ${colour}: ${min} to ${max}, mean ${mean.toFixed(4)}`,
    ),
    `temperature: ${temperature}`,
    ...labels.map((line) => `  ${line}`),
    `milliseconds: ${ms.join(", ")}; ${around.durationMs.toFixed(1)} in all`,
  ].join("\n");
}
