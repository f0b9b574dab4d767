/** One alternative for each step, and the configuration that they make. */
import { type Alternative, AS_IT_IS, STEPS, type Step } from "./alternatives.js";
import { type JsonObject, patched } from "./config-patch.js";

export type Choice = Readonly<Record<Step, Alternative>>;

export const UNCHANGED: Choice = {
  decode: AS_IT_IS,
  orientation: AS_IT_IS,
  "size and crop": AS_IT_IS,
  "resize filter": AS_IT_IS,
  "colour order": AS_IT_IS,
  scale: AS_IT_IS,
  layout: AS_IT_IS,
};

export function changesOf(choice: Choice): number {
  return STEPS.filter((step) => choice[step] !== AS_IT_IS).length;
}

export function fewestFirst(choices: readonly Choice[]): Choice[] {
  return [...choices].sort((left, right) => changesOf(left) - changesOf(right));
}

export function configOf(config: JsonObject, choice: Choice): JsonObject {
  return STEPS.reduce((sum: JsonObject, step) => patched(sum, choice[step].patch), config);
}
